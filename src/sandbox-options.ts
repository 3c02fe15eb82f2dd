import type { DriverOption } from './driver'
import type { Logger } from './log'
import type { ContainerConfig } from './model/container'
import type { Plan } from './plan/operations'

/** Options of everything that acts or looks. */
export interface ActOptions {
  /** Takes back what has not started and rejects with `signal.reason`. A write that has started is awaited. */
  readonly signal?: AbortSignal | undefined
}

export interface SandboxOptions extends ActOptions {
  /** Names the sandbox and its cgroup: `[A-Za-z0-9][A-Za-z0-9_.-]{0,127}`, and no name of the kernel's own files. */
  readonly id: string
  /**
   * The cgroup that the sandbox's is made in; shared by sandboxes, without limits, never removed. On v2 it must hold no
   * processes of its own. With systemd, a slice (`'machine.slice'`), or a slice and what the unit's name begins with
   * (`'machine.slice:vm'`): the sandbox is then `<slice>/<prefix>-<id>.scope/vm`.
   * @default '/kata'; with `driver: 'systemd'` `'system.slice:vmcg'`, and `'app.slice:vmcg'` for other users than root
   */
  readonly parent?: string | undefined
  /**
   * Who makes the cgroup that the sandbox's is in: vmcg, or systemd, as a scope that begins with the VMM and ends with it.
   * `auto` is systemd where `parent` is a slice. @default 'auto'
   */
  readonly driver?: DriverOption | undefined
  /**
   * Whether the unit shows the sandbox's limits of memory and pids as well, for the eyes of `systemctl`; what holds is in
   * the cgroup below. It stays so for as long as the sandbox is there. Only with systemd. @default false
   */
  readonly mirror?: boolean | undefined
  readonly containers?: readonly ContainerConfig[] | undefined
  /** What a container without a quota means: nothing (`ignore`), or no quota for the sandbox (`uncap`). @default 'ignore' */
  readonly unlimited?: 'ignore' | 'uncap' | undefined
  /**
   * What the VMM needs beside the guest's memory, in bytes. Given, and with a memory limit for every container, the
   * sandbox's memory is held to their sum and this. @default no memory limit
   */
  readonly memoryOverheadBytes?: number | undefined
  /**
   * What becomes of fields that this host's cgroups have nothing for: refused with `ERR_VMCG_UNSUPPORTED`, or
   * `ERR_VMCG_NO_CONTROLLER` where a controller is mounted nowhere; or left out with a warning in the report.
   * @default 'error'
   */
  readonly unsupported?: 'error' | 'warn' | undefined
  /** Where the sandbox's state and lock are kept. @default '/run/vmcg', `$XDG_RUNTIME_DIR/vmcg` for other users */
  readonly stateDir?: string | undefined
  /** How long to wait for another process that works on this sandbox, in milliseconds. @default 10000 */
  readonly lockTimeoutMs?: number | undefined
  /**
   * How long the kernel may take over a write for which it reclaims or migrates memory, in milliseconds; `Infinity`: as
   * long as it takes. Beyond that it is `ERR_VMCG_TIMEOUT`. @default 30000
   */
  readonly writeTimeoutMs?: number | undefined
  /** A pino logger, or one of its shape. @default silent; pino on stderr at the level in `VMCG_LOG` */
  readonly logger?: Logger | undefined
}

/**
 * What `Sandbox.load()` takes. `unlimited`, `memoryOverheadBytes` and `unsupported` default to those that the containers
 * were applied with; `parent` and `driver` must be the sandbox's own.
 */
export type LoadOptions = Omit<SandboxOptions, 'id' | 'containers'>

export interface ApplyOptions extends ActOptions {
  /** Carry out exactly this plan, or refuse with `ERR_VMCG_PLAN_STALE`. */
  readonly plan?: Plan | undefined
}

export interface AttachOptions extends ActOptions {
  /** Whether `close()`, and attaching another one, closes the hypervisor's connection. @default true */
  readonly own?: boolean | undefined
}

export interface DestroyOptions extends ActOptions {
  /** Give living processes back to the cgroups that they came from, or kill them. @default 'move' */
  readonly processes?: 'move' | 'kill' | undefined
}

export interface KillOptions extends ActOptions {
  /** Any other than SIGKILL is sent once, and nothing is waited for. @default 'SIGKILL' */
  readonly killSignal?: NodeJS.Signals | number | undefined
}
