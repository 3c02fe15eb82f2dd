'use strict'

/**
 * What one boot runs, one after the other.
 *
 * @typedef {object} Phase
 * @property {string} name
 * @property {RegExp} files the test files of test/integration that it runs, without `.test.ts`
 * @property {readonly (readonly string[])[]} [before] commands that root runs first; one that fails fails the phase
 * @property {'vmcg'} [user] runs as this user; default root
 * @property {'delegated' | 'systemd' | 'scope'} [session] where it runs: as a user below a cgroup that was delegated to it, or
 *   in a scope of its own systemd; as root in a scope that is delegated; default in the service that runs all
 * @property {Readonly<Record<string, string>>} [env]
 * @property {readonly string[]} [lacks] beside what the boot lacks
 *
 * @typedef {object} Guest
 * @property {string} name
 * @property {string} shows in one line, for the usage
 * @property {readonly string[]} kernel further words for the kernel's command line
 * @property {readonly string[]} lacks the requirements (test/support/require.ts) that this boot cannot have: their
 *   tests are left out and counted as such; and modules (guest/modules.sh). Anything else that is missing fails
 * @property {RegExp} [brief] the test files that show what no other host or guest does; default all
 * @property {readonly Phase[]} phases
 */

/** What no boot has: the kernel is built without the first, the image without the two after it; the last is not loaded. */
const IMAGE_LACKS = ['rt-group-sched', 'gcc', 'strace', 'kvm']
const V1 = ['cgroup-v1', 'devices-v1', 'limits-v1', 'freezer-v1', 'accounting-v1']
const V2 = ['cgroup-v2']
/** What only the phases of the user have. */
const USER = ['delegated-v2', 'user-systemd']

/**
 * What is long, such as ending a life after each of its steps, and what the version of cgroups makes no difference to,
 * such as a monitor or the bus of systemd. One guest runs it, and the host as far as it has what that takes.
 */
const ONCE = [
  ...['crash-.*', '.*-endings', 'lives', 'bench', 'addon-workers', 'wrong-arguments'],
  ...['qemu-hypervisor', 'spinvm', 'systemd-units'],
].join('|')
const CAMPAIGNS = new RegExp(`^(?:${ONCE})$`)
const ALL_OTHERS = new RegExp(`^(?!(?:${ONCE})$)`)

const SCOPED = [
  ...['sandbox-(?:placement|limits|reapply|strangers|vanishing)', 'kernel-threads', 'launch(?:-qemu)?'],
  'manager(?:-(?:cpuset|devices|fields|first-rules|freeze|life|memory|processes))?',
].join('|')

/** The life of sandboxes and of managed cgroups once more, in scopes of systemd. */
const WITH_SYSTEMD = {
  name: 'systemd',
  files: new RegExp(`^(?:${SCOPED})$`),
  env: { VMCG_DRIVER: 'systemd' },
  lacks: ['cgroupfs-driver'],
}

/**
 * A host with v1 that systemd does not run shows the rest: its guests show that each part works beside systemd, with
 * controllers that share a hierarchy, and on an older kernel.
 */
const BESIDE_SYSTEMD = new RegExp(
  [
    ...['systemd', 'sandbox-placement', 'sandbox-stats', 'sandbox-limits', 'launch-qemu', 'cgroup-stats-v1'],
    ...['manager-paths', 'manager-devices', 'manager-processes'],
  ].join('|'),
)

/**
 * On v1 systemd moves the processes of a unit between cgroups whenever a neighbour begins or ends that uses a controller
 * more, so that what a test has seen of where they are would not hold. It leaves alone what it has delegated.
 */
const ON_V1 = [{ name: 'root', files: ALL_OTHERS }, WITH_SYSTEMD].map((phase) => ({
  ...phase,
  session: /** @type {const} */ ('scope'),
}))

/** @type {readonly Guest[]} */
const GUESTS = [
  {
    name: 'v1',
    shows: 'every controller in a cgroup v1 hierarchy, as on older hosts',
    kernel: ['systemd.unified_cgroup_hierarchy=0', 'systemd.legacy_systemd_cgroup_controller=yes'],
    lacks: [...IMAGE_LACKS, ...V2, ...USER, 'unified'],
    brief: BESIDE_SYSTEMD,
    phases: ON_V1,
  },
  {
    name: 'hybrid',
    shows: 'cgroup v1 controllers beside a v2 tree without any; no pressure figures (psi=0)',
    kernel: ['systemd.unified_cgroup_hierarchy=0', 'psi=0'],
    lacks: [...IMAGE_LACKS, ...V2, ...USER],
    brief: BESIDE_SYSTEMD,
    phases: ON_V1,
  },
  {
    name: 'v2',
    shows: 'cgroup v2 alone, as on hosts of today',
    kernel: ['psi=1'],
    lacks: [...IMAGE_LACKS, ...V1, ...USER],
    phases: [
      { name: 'root', files: ALL_OTHERS },
      WITH_SYSTEMD,
      { name: 'campaigns', files: CAMPAIGNS },
      {
        name: 'favordynmods',
        before: [['mount', '-o', 'remount,nsdelegate,memory_recursiveprot,favordynmods', '/sys/fs/cgroup']],
        files: /^(?:structure-v2|sandbox-placement)/,
      },
      { name: 'user', user: 'vmcg', session: 'delegated', files: /^(?:delegated|rootless)-v2/ },
      { name: 'user-systemd', user: 'vmcg', session: 'systemd', files: /^sandbox-user-systemd$/ },
    ],
  },
]

module.exports = { GUESTS }
