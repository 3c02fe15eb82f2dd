/**
 * What the kernel said at one moment: the cgroups that concern one sandbox in every hierarchy that it uses, and the
 * processes that belong to it. Plain data, which `after()` carries forward and the simulated kernel runs on.
 */
export interface Observed {
  readonly hierarchies: readonly ObservedHierarchy[]
  readonly processes: readonly ObservedProcess[]
  /** Capabilities that this process lacks to load a device program; absent where nobody has asked. */
  readonly lackedForPrograms?: readonly string[] | undefined
}

export interface ObservedHierarchy {
  /** Such as `'cpu'` or `'cpu,cpuacct'`. */
  readonly id: string
  readonly version: 1 | 2
  readonly controllers: readonly string[]
  readonly mountPoint: string
  /** Path below the mount point → its state. A directory that is not there has no entry. */
  readonly cgroups: Readonly<Record<string, ObservedCgroup>>
}

export interface ObservedCgroup {
  /** The nonce in the directory's tag; null where it has none, and for cgroups above the sandbox. */
  readonly owner: string | null
  readonly knobs: Readonly<Record<string, KnobState>>
  /**
   * The threads in it, as `tasks` or `cgroup.threads` lists them. Empty for cgroups above the sandbox, whose threads are
   * nobody's business.
   */
  readonly tids: readonly number[]
  /**
   * On v2, the processes in it as `cgroup.procs` lists them: those of a thread root's whole subtree. Absent on v1, and
   * where the kernel does not say (in a threaded cgroup).
   */
  readonly pids?: readonly number[] | undefined
  /** The device programs of a v2 cgroup; absent where nobody has asked. */
  readonly devicePrograms?: ObservedPrograms | undefined
}

/**
 * The device programs that are attached to a cgroup itself, in the order in which the kernel asks them. `attach` says
 * whether others can be attached: beside them (`multi`), below them (`override`), or neither; it means nothing where
 * there are none.
 */
export type ObservedPrograms =
  | {
      readonly kind: 'programs'
      readonly attach: 'multi' | 'override' | 'exclusive'
      readonly programs: readonly ObservedProgram[]
    }
  | { readonly kind: 'unreadable'; readonly errno: number }

export interface ObservedProgram {
  readonly id: number
  /** null: this process has not attached it, and has no CAP_SYS_ADMIN to ask. */
  readonly name: string | null
}

/** A knob that cannot be read is not the same as one that is not there. */
export type KnobState =
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'write-only' }

export interface ObservedProcess {
  readonly pid: number
  /** Clock ticks since boot, field 22 of /proc/PID/stat: tells a process from a later one with the same pid. */
  readonly startTime: number
  /** Threads that are on their way out (PF_EXITING) are not listed: v1 already shows them in the root. */
  readonly threads: readonly ObservedThread[]
}

export interface ObservedThread {
  readonly tid: number
  /** As a process's; null where a look did not ask. */
  readonly startTime: number | null
  /** `''` where a look did not ask. */
  readonly name: string
}

/** The value of a knob, or undefined where it is absent, write-only or the cgroup is not there. */
export function knobValue(cgroup: ObservedCgroup | undefined, knob: string): string | undefined {
  const state = cgroup?.knobs[knob]
  return state?.kind === 'value' ? state.value : undefined
}

/** `'/'`, `'/a'`, `'/a/b'` for `'/a/b'`: a cgroup and all above it, from the top. */
export function pathChain(path: string): readonly string[] {
  const parts = path.split('/').filter((part) => part !== '')
  return ['/', ...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)]
}

/** The path of a cgroup `name` in `parent`. */
export function childPath(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`
}

/** The path of the cgroup above; the root's is the root. */
export function parentPath(path: string): string {
  const end = path.lastIndexOf('/')
  return end <= 0 ? '/' : path.slice(0, end)
}

/** The cgroups right below one, of those that are there. */
export function childrenOf(cgroups: ObservedHierarchy['cgroups'], path: string): readonly string[] {
  return Object.keys(cgroups).filter((other) => other !== '/' && other !== path && parentPath(other) === path)
}
