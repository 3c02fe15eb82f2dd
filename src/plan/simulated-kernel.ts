import { isSubset } from '../model/cpu-list'
import { after } from './after'
import { programErrno } from './device-programs'
import type { Observed, ObservedCgroup, ObservedHierarchy } from './observed'
import { childrenOf, knobValue, parentPath, pathChain } from './observed'
import type { MoveProcess, MoveThreads, Operation, WriteKnob } from './operations'
import { processErrno, structureErrno, threadErrno } from './refusals-v2'

/** What the simulated kernel answers to one operation. */
export interface SimulatedAnswer {
  /** 0, or the errno of a real kernel; of a move, that of the open. */
  readonly errno: number
  /** Of a move: each pid or tid with the errno of its write; −1 where it was not tried. */
  readonly ids: readonly { readonly id: number; readonly errno: number }[]
}

const ENOENT = 2
const ESRCH = 3
const EACCES = 13
const EBUSY = 16
const EEXIST = 17
const EINVAL = 22
const ENOSPC = 28

/**
 * A kernel to plan against without root: it holds an observed state, refuses what a kernel refuses (the order of writes,
 * populated directories, empty cpusets, dead threads; on v2 what a cgroup's type and its controllers forbid) and applies the rest by `after()`. Each rule was seen on
 * a real kernel; the integration tests hold the two together.
 */
export class SimulatedKernel {
  #state: Observed

  constructor(state: Observed) {
    this.#state = state
  }

  observe(): Observed {
    return this.#state
  }

  execute(operation: Operation): SimulatedAnswer {
    const hierarchy = this.#state.hierarchies.find(({ id }) => id === operation.hierarchy)
    if (hierarchy === undefined) return { errno: ENOENT, ids: [] }
    if (operation.kind === 'move-threads') return this.#moveThreads(operation, hierarchy)
    if (operation.kind === 'move-process') return this.#moveProcess(operation, hierarchy)
    const errno = refusal(hierarchy, operation)
    if (errno === 0) this.#state = after(this.#state, operation)
    return { errno, ids: [] }
  }

  #moveThreads(operation: MoveThreads, { version, cgroups }: ObservedHierarchy): SimulatedAnswer {
    const threads = new Set(this.#state.processes.flatMap((process) => process.threads.map(({ tid }) => tid)))
    const answer = moveAnswer(cgroups[operation.path], operation.tids, (tid) => {
      if (!threads.has(tid)) return ESRCH
      return version === 1 ? entryErrno(cgroups[operation.path]) : threadErrno(cgroups, operation.path, tid)
    })
    const tids = answer.ids.filter(({ errno }) => errno === 0).map(({ id }) => id)
    this.#state = after(this.#state, { ...operation, tids })
    return answer
  }

  #moveProcess(operation: MoveProcess, { version, cgroups }: ObservedHierarchy): SimulatedAnswer {
    const pids = new Set(this.#state.processes.map(({ pid }) => pid))
    const answer = moveAnswer(cgroups[operation.path], [operation.pid], (pid) => {
      if (!pids.has(pid)) return ESRCH
      return version === 1 ? entryErrno(cgroups[operation.path]) : processErrno(cgroups, operation.path)
    })
    if (answer.ids.every(({ errno }) => errno === 0)) this.#state = after(this.#state, operation)
    return answer
  }
}

function moveAnswer(
  target: ObservedCgroup | undefined,
  ids: readonly number[],
  errnoOf: (id: number) => number,
): SimulatedAnswer {
  if (target === undefined) return { errno: ENOENT, ids: ids.map((id) => ({ id, errno: -1 })) }
  return { errno: 0, ids: ids.map((id) => ({ id, errno: errnoOf(id) })) }
}

function refusal(
  hierarchy: ObservedHierarchy,
  operation: Exclude<Operation, MoveThreads | MoveProcess>,
): number {
  const cgroup = hierarchy.cgroups[operation.path]
  if (operation.kind === 'make-directory') {
    if (cgroup !== undefined) return operation.shared ? 0 : EEXIST
    return parentPath(operation.path) in hierarchy.cgroups ? 0 : ENOENT
  }
  if (cgroup === undefined) return ENOENT
  switch (operation.kind) {
    case 'write-knob':
      if (hierarchy.version === 2) return knobErrnoV2(hierarchy.cgroups, operation)
      return knobErrno(hierarchy, operation.path, operation.knob, operation.value)
    case 'remove-directory':
      return cgroup.tids.length > 0 || childrenOf(hierarchy.cgroups, operation.path).length > 0 ? EBUSY : 0
    case 'device-program': {
      const chain = pathChain(operation.path).toReversed()
      const programs = chain.map((path) => ({ path, programs: hierarchy.cgroups[path]?.devicePrograms }))
      return programErrno(operation, programs)
    }
    case 'tag':
    case 'freeze':
    case 'thaw':
      return 0
  }
}

function knobErrnoV2(cgroups: ObservedHierarchy['cgroups'], { path, knob, value }: WriteKnob): number {
  const structure = structureErrno(cgroups, path, knob, value)
  if (structure !== undefined) return structure
  const state = cgroups[path]?.knobs[knob]
  return state === undefined || state.kind === 'absent' ? ENOENT : 0
}

/** kernel/cgroup/cpuset.c, cpuset_can_attach: a cpuset without CPUs or memory nodes takes nobody. */
function entryErrno(cgroup: ObservedCgroup | undefined): number {
  const isEmpty = ['cpuset.cpus', 'cpuset.mems'].some((knob) => knobValue(cgroup, knob) === '')
  return isEmpty ? ENOSPC : 0
}

function knobErrno(hierarchy: ObservedHierarchy, path: string, knob: string, value: string): number {
  const cgroup = hierarchy.cgroups[path]
  if (cgroup?.knobs[knob] === undefined || cgroup.knobs[knob].kind === 'absent') return ENOENT
  switch (knob) {
    case 'cpu.cfs_quota_us':
    case 'cpu.cfs_period_us':
      return bandwidthErrno(hierarchy, path, knob, Number(value))
    case 'cpuset.cpus':
    case 'cpuset.mems':
      return cpusetErrno(hierarchy, path, knob, value)
    default:
      return 0
  }
}

/** kernel/sched/core.c: tg_set_cfs_bandwidth (ranges) and tg_cfs_schedulable (no child above its parent). */
function bandwidthErrno(hierarchy: ObservedHierarchy, path: string, knob: string, value: number): number {
  if (knob === 'cpu.cfs_period_us' && (value < 1000 || value > 1_000_000)) return EINVAL
  if (knob === 'cpu.cfs_quota_us' && value >= 0 && value < 1000) return EINVAL
  const cgroup = hierarchy.cgroups[path]
  const changed: ObservedHierarchy = {
    ...hierarchy,
    cgroups: {
      ...hierarchy.cgroups,
      ...(cgroup && {
        [path]: { ...cgroup, knobs: { ...cgroup.knobs, [knob]: { kind: 'value', value: String(value) } } },
      }),
    },
  }
  const isSchedulable = Object.keys(changed.cgroups).every((below) => {
    const above = pathChain(below).slice(0, -1)
    return above.every((ancestor) => ratio(changed, below) <= ratio(changed, ancestor))
  })
  return isSchedulable ? 0 : EINVAL
}

/**
 * The CPUs that a cgroup itself allows; one without a quota allows what its parent does, so it never stands above it.
 */
function ratio(hierarchy: ObservedHierarchy, path: string): number {
  const cgroup = hierarchy.cgroups[path]
  const quota = Number(knobValue(cgroup, 'cpu.cfs_quota_us') ?? -1)
  if (quota >= 0) return quota / Number(knobValue(cgroup, 'cpu.cfs_period_us'))
  return path === '/' ? Number.POSITIVE_INFINITY : ratio(hierarchy, parentPath(path))
}

/** kernel/cgroup/cpuset-v1.c, cpuset1_validate_change: a child within its parent, and never emptied while populated. */
function cpusetErrno(hierarchy: ObservedHierarchy, path: string, knob: string, value: string): number {
  const parent = knobValue(hierarchy.cgroups[parentPath(path)], knob) ?? ''
  if (path !== '/' && !isSubset(value, parent)) return EACCES
  const children = childrenOf(hierarchy.cgroups, path).map(
    (child) => knobValue(hierarchy.cgroups[child], knob) ?? '',
  )
  if (!children.every((child) => isSubset(child, value))) return EBUSY
  return value === '' && (hierarchy.cgroups[path]?.tids.length ?? 0) > 0 ? ENOSPC : 0
}
