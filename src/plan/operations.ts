import type { DeviceAccess } from '../model/devices/device-access'

/**
 * What a plan is made of: plain data, one member per thing the engine can do. `path` is that of the cgroup below the
 * hierarchy's mount point (`'/kata/vm1/vcpu'`); `hierarchy` is its id (`'cpu'`, `'cpu,cpuacct'`).
 */
export type Operation =
  | MakeDirectory
  | Tag
  | WriteKnob
  | SetDeviceProgram
  | Freeze
  | Thaw
  | MoveProcess
  | MoveThreads
  | RemoveDirectory

interface InCgroup {
  readonly hierarchy: string
  readonly path: string
}

export interface MakeDirectory extends InCgroup {
  readonly kind: 'make-directory'
  /** A parent that several sandboxes share: made by whoever comes first, never tagged, never removed. */
  readonly shared: boolean
}

/**
 * The extended attribute that marks a directory. The kernel keeps `trusted.*` for CAP_SYS_ADMIN; a user without it can
 * set `user.*` on directories of their own.
 */
export type TagAttribute = 'trusted.vmcg' | 'user.vmcg'

/** Marks a directory as ours: an extended attribute that holds the nonce of the sandbox's state. */
export interface Tag extends InCgroup {
  readonly kind: 'tag'
  readonly attribute: TagAttribute
  readonly owner: string
}

export interface WriteKnob extends InCgroup {
  readonly kind: 'write-knob'
  readonly knob: string
  readonly value: string
  /** What the kernel said before, for the diff and for the way back; null where it could not be read. */
  readonly previous: string | null
}

/** A device program that is attached, or was when it was seen last. */
export interface NamedProgram {
  readonly id: number
  readonly name: string
}

/**
 * Loads an eBPF program that decides about devices and attaches it to a v2 cgroup, in the place of ours before it or
 * beside those of others; or only takes ours off.
 */
export interface SetDeviceProgram extends InCgroup {
  readonly kind: 'device-program'
  /** What is loaded; null: nothing. */
  readonly program: {
    readonly name: string
    /** What it grants. */
    readonly access: DeviceAccess
    /** The ids of the programs that were attached before it. */
    readonly beside: readonly number[]
  } | null
  /** Ours before it; null: there is none. */
  readonly replaces: NamedProgram | null
}

/** Stops every thread in the cgroup, and waits until all stand still. `hierarchy` is the freezer's. */
export interface Freeze extends InCgroup {
  readonly kind: 'freeze'
}

/** Lets the threads go on that a {@link Freeze} before it has stopped. */
export interface Thaw extends InCgroup {
  readonly kind: 'thaw'
}

/** One write of a pid to `cgroup.procs`: every thread of the process, atomic against threads being born. */
export interface MoveProcess extends InCgroup {
  readonly kind: 'move-process'
  readonly pid: number
}

/** Writes of single tids to `tasks`. */
export interface MoveThreads extends InCgroup {
  readonly kind: 'move-threads'
  readonly tids: readonly number[]
}

export interface RemoveDirectory extends InCgroup {
  readonly kind: 'remove-directory'
}

/** Operations that may follow each other at once; the next stage begins when all of them are done. */
export interface Stage {
  readonly name: 'directories' | 'limits' | 'placement' | 'drain' | 'removal'
  readonly operations: readonly Operation[]
}

/** The ordered operations that turn what was observed into what is desired. Frozen plain data. */
export interface Plan {
  readonly sandbox: string
  /** Hierarchy id → its mount point, for messages and for the shell form. */
  readonly mounts: Readonly<Record<string, string>>
  /** Stages without operations are left out, so an empty list means that there is nothing to do. */
  readonly stages: readonly Stage[]
  readonly warnings: readonly string[]
}

/** All operations of a plan in the order of execution. */
export function operationsOf(plan: Plan): readonly Operation[] {
  return plan.stages.flatMap((stage) => stage.operations)
}

/** True when what was observed is what is desired. */
export function isEmptyPlan(plan: Plan): boolean {
  return plan.stages.length === 0
}

/** The plan of what needs nothing done. */
export function nothingToDo(sandbox: string): Plan {
  return Object.freeze({ sandbox, mounts: {}, stages: [], warnings: [] })
}
