import type { DriverOption } from './driver'
import { VmcgError } from './errors'
import type { HypervisorDevicesOptions } from './host/devices'
import type { Logger } from './log'
import type { LinuxResources } from './model/generated/oci'
import { short } from './model/quote'
import type { ActOptions } from './sandbox-options'

export interface CgroupManagerConfig extends ActOptions {
  /**
   * OCI `linux.cgroupsPath`: an absolute path is below the mount points, a relative one below `/vc`; the last component
   * gets the prefix `kata_`. With systemd `slice:prefix:name`: the cgroup is `<slice>/<prefix>-<name>.scope/vm`.
   */
  readonly cgroupsPath?: string | undefined
  /** Names the cgroup where there is no `cgroupsPath`: `/vc/kata_<id>`. 1 to 128 letters, digits, `_`, `.` and `-`. */
  readonly id?: string | undefined
  /**
   * Cgroups that somebody else has made and that are to be taken over: controller → directory, or `unified` → that of
   * cgroup v2. All of them must exist, and have the same path below their mount points; on v2 without cgroups below, and
   * not among threaded ones. `destroy()` removes them. Others of that path can be taken over later, beside the first.
   */
  readonly paths?: Readonly<Record<string, string>> | undefined
  /** OCI `linux.resources`; `apply()` carries them out. @default {} */
  readonly resources?: LinuxResources | undefined
  /** What the VMM itself needs when `resources.devices` are given. @default the usual devices of a hypervisor */
  readonly hypervisorDevices?: Pick<HypervisorDevicesOptions, 'deviceMapper' | 'paths'> | undefined
  /**
   * What becomes of fields that this host's cgroups have nothing for: refused with `ERR_VMCG_UNSUPPORTED`, or left out
   * with a warning in the report. @default 'error', or what it was before
   */
  readonly unsupported?: 'error' | 'warn' | undefined
  /**
   * Who makes the cgroup that ours is in: vmcg, or systemd, as a scope that begins with the first `add()` and ends with its
   * last process. `auto` is systemd where `cgroupsPath` is `slice:prefix:name`. @default 'auto'
   */
  readonly driver?: DriverOption | undefined
  /**
   * Whether the unit shows the limits of memory and pids, and the quota as well, for the eyes of `systemctl`; what holds is
   * in the cgroup below. It stays so for as long as the cgroup is there. Only with systemd. @default false
   */
  readonly mirror?: boolean | undefined
  /** Where state and lock are kept. @default '/run/vmcg', `$XDG_RUNTIME_DIR/vmcg` for other users */
  readonly stateDir?: string | undefined
  /** How long to wait for another process that works on this cgroup, in milliseconds. @default 10000 */
  readonly lockTimeoutMs?: number | undefined
  /**
   * How long the kernel may take over a write for which it reclaims or migrates memory, in milliseconds; `Infinity`: as
   * long as it takes. Beyond that it is `ERR_VMCG_TIMEOUT`. @default 30000
   */
  readonly writeTimeoutMs?: number | undefined
  /** A pino logger, or one of its shape. @default silent; pino on stderr at the level in `VMCG_LOG` */
  readonly logger?: Logger | undefined
}

export interface DeviceOptions extends ActOptions {
  /** Letters of `r`, `w` and `m`. @default 'rwm' */
  readonly access?: string | undefined
  /** Who uses the device, such as a container's id: it stays until everyone who added it has removed it. @default '' */
  readonly owner?: string | undefined
}

export interface CpusetOptions {
  /** CPU list such as `'0-3,8'`; `''` follows the parent. undefined: as it is. */
  readonly cpus?: string | undefined
  /** Memory nodes, written as CPUs are. */
  readonly mems?: string | undefined
}

/** What `toJSON()` gives and `restore()` takes: where the state is kept, not the state itself. */
export interface ManagerJson {
  readonly version: 1
  /** Below the mount point of each hierarchy; with systemd `slice:prefix:name`. */
  readonly path: string
  readonly stateDir: string
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no such JSON. */
export function checkedJson(json: ManagerJson | string): ManagerJson {
  const value: unknown = typeof json === 'string' ? parsed(json) : json
  const field = (name: string): unknown => Reflect.get(Object(value), name)
  const path = field('path')
  const stateDir = field('stateDir')
  if (field('version') !== 1 || typeof path !== 'string' || typeof stateDir !== 'string') {
    throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', 'this is not what CgroupManager.toJSON() gave', {
      value: short(value),
    })
  }
  return { version: 1, path, stateDir }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
