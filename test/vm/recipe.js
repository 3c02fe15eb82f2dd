'use strict'

const { CHECKOUT, DISK, NODE } = require('./paths')

// What the guests' root file system is made of. Everything here is part of its cache key.

/** Beyond Debian's essential packages. */
const PACKAGES = [
  // It has every cgroup controller, vhost, device-mapper and virtio, without the drivers of real hardware.
  'linux-image-cloud-amd64',
  ...['systemd', 'systemd-sysv', 'udev', 'kmod', 'dbus', 'dbus-user-session'],
  // What the tests call: a VM inside the guest, the peers, and the tools to look at both.
  ...['qemu-system-x86', 'runc', 'crun', 'python3', 'util-linux', 'iproute2', 'procps'],
  ...['libgcc-s1', 'libstdc++6'],
]

/** Half of the packages' files, which nobody reads there. */
const LEFT_OUT = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*']

/** Of the initrd: with the usual `most` it is four times as large, and unpacking it is emulated. */
const INITRD_MODULES = ['virtio_pci', 'virtio_blk']

const PORTS = 'dev-virtio\\x2dports-vmcg.output.device dev-virtio\\x2dports-vmcg.report.device'

const START_SERVICE = `[Unit]
Description=What the second disk says
ConditionKernelCommandLine=vmcg.run
RequiresMountsFor=${DISK}
Wants=${PORTS}
After=multi-user.target ${PORTS}

[Service]
WorkingDirectory=${CHECKOUT}
Environment=PATH=${DISK}/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
ExecStart=${NODE} ${CHECKOUT}/test/vm/guest/main.js
ExecStopPost=/bin/systemctl poweroff --force
LimitCORE=0
TasksMax=infinity
OOMPolicy=continue

[Install]
WantedBy=multi-user.target
`

const SHELL_SERVICE = `[Unit]
Description=A shell on the console
ConditionKernelCommandLine=vmcg.shell
RequiresMountsFor=${DISK}
After=multi-user.target

[Service]
WorkingDirectory=${CHECKOUT}
Environment=PATH=${DISK}/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux
ExecStart=/bin/sh ${CHECKOUT}/test/vm/guest/shell.sh
ExecStopPost=/bin/systemctl poweroff --force
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
TTYReset=yes
Type=idle

[Install]
WantedBy=multi-user.target
`

/** The image's own files: path and content. */
const FILES = /** @type {const} */ ([
  ['/etc/fstab', `/dev/vda / ext4 defaults,noatime 0 0\n/dev/vdb ${DISK} ext4 defaults,noatime 0 0\n`],
  ['/etc/hostname', 'vmcg-guest\n'],
  ['/etc/hosts', '127.0.0.1 localhost vmcg-guest\n'],
  ['/etc/systemd/system/vmcg-run.service', START_SERVICE],
  ['/etc/systemd/system/vmcg-shell.service', SHELL_SERVICE],
])

const SERVICES = ['vmcg-run', 'vmcg-shell']

/** Nothing of a guest outlives its boot, so nothing has to be kept in order. */
const MASKED = [
  ...['apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer', 'e2scrub_all.timer'],
  ...['e2scrub_reap.service', 'fstrim.timer', 'systemd-tmpfiles-clean.timer', 'getty.target'],
  ...['serial-getty@ttyS0.service', 'systemd-update-utmp.service'],
]

module.exports = { FILES, INITRD_MODULES, LEFT_OUT, MASKED, PACKAGES, SERVICES }
