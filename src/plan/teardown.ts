import { CgroupError } from '../errors'
import { isLimit, isUnlimited } from '../model/resources/limits'
import { controllerNames } from '../model/unified'
import { SUBTREE_CONTROL, TYPE } from './after-v2'
import type { Desired } from './desired'
import { type Place, sandboxPaths } from './desired'
import { refuseForeign } from './directories'
import { knobValue, type Observed, type ObservedCgroup, type ObservedHierarchy, parentPath } from './observed'
import type { MoveProcess, MoveThreads, Operation, Plan } from './operations'
import { ownPaths } from './own-cgroups'
import { PlanBuilder } from './plan-builder'

/** Where somebody came from: pid (or tid, of those put in by hand) → hierarchy id → the cgroup it was in before. */
export type Origins = ReadonlyMap<number, Readonly<Record<string, string>>>

export interface TeardownOptions {
  /** Where single threads that were put in by hand came from. */
  readonly threadOrigins?: Origins | undefined
  /** Where everybody that was ever put in came from: on v2 those born inside go there, when it is one place. */
  readonly everyOrigin?: readonly Readonly<Record<string, string>>[] | undefined
  /** What becomes of a process for which no cgroup is known that can take it. @default 'refuse' */
  readonly stranded?: 'refuse' | 'leave' | undefined
}

/**
 * The operations that take a sandbox away: everybody in it goes back to the cgroup that they or their process came from
 * (to the parent, where that is not known or no longer there; with systemd to the slice), then the directories go, from
 * the leaf up. The parent stays; a unit is for systemd to end. On v1 only what is in the sandbox is moved, thread by
 * thread, so a thread that somebody took out stays out; on v2 a process leaves as a whole, and a parent that hands
 * controllers down takes nobody.
 *
 * @throws `ERR_VMCG_FOREIGN_CGROUP` where a directory of the sandbox's name is not its own; `ERR_VMCG_BUSY` for those
 *   who have nowhere to go.
 */
export function planTeardown(
  desired: Pick<Desired, 'id' | 'parent' | 'scope' | 'owner' | 'claimed' | 'takenOver' | 'hasLeaf'>,
  observed: Observed,
  origins: Origins,
  options: TeardownOptions = {},
): Plan {
  const builder = new PlanBuilder(observed)
  for (const hierarchy of builder.hierarchies) {
    for (const path of ownPaths(desired, hierarchy)) refuseForeign(hierarchy, path, desired)
  }
  const processOf = new Map(
    observed.processes.flatMap(({ pid, threads }) => threads.map(({ tid }) => [tid, pid])),
  )
  const originOf: OriginOf = (id) => {
    const pid = processOf.get(id)
    return options.threadOrigins?.get(id) ?? (pid === undefined ? undefined : origins.get(pid))
  }
  builder.stage('drain')
  for (const hierarchy of builder.hierarchies) {
    const moves =
      hierarchy.version === 1
        ? threadsBack(hierarchy, desired, originOf)
        : processesBack(hierarchy, desired, originOf, options)
    for (const move of moves) builder.add(move)
  }
  builder.stage('removal')
  for (const { id: hierarchy, controllers, cgroups } of builder.hierarchies) {
    for (const path of ownPaths(desired, { id: hierarchy, controllers }).toReversed()) {
      if (path in cgroups) builder.add({ kind: 'remove-directory', hierarchy, path })
    }
  }
  return builder.finish(desired.id)
}

function isUnit({ scope = null }: Place): boolean {
  return scope !== null
}

/** Where somebody goes of whom nobody knows where they came from: out of the unit, too, where systemd has made one. */
export function homePath(where: Place): string {
  const { parent } = sandboxPaths(where)
  return isUnit(where) ? parentPath(parent) : parent
}

/** The cgroups whose members are the sandbox's, from the top: those of a unit all are. */
export function membersPaths(
  desired: Pick<Desired, 'id' | 'parent' | 'scope' | 'hasLeaf'>,
  hierarchy: Pick<ObservedHierarchy, 'id' | 'controllers'>,
): readonly string[] {
  const unit = isUnit(desired) ? [sandboxPaths(desired).parent] : []
  return [...new Set([...unit, ...ownPaths(desired, hierarchy)])]
}

type OriginOf = (id: number) => Readonly<Record<string, string>> | undefined

function threadsBack(
  hierarchy: ObservedHierarchy,
  desired: Pick<Desired, 'id' | 'parent' | 'scope' | 'hasLeaf'>,
  originOf: OriginOf,
): readonly MoveThreads[] {
  return membersPaths(desired, hierarchy)
    .toReversed()
    .flatMap((path) => {
      const targets = new Map<string, number[]>()
      for (const tid of hierarchy.cgroups[path]?.tids ?? []) {
        const origin = originOf(tid)?.[hierarchy.id]
        const target = origin !== undefined && origin in hierarchy.cgroups ? origin : homePath(desired)
        targets.set(target, [...(targets.get(target) ?? []), tid])
      }
      return [...targets].map(
        ([target, tids]): MoveThreads => ({
          kind: 'move-threads',
          hierarchy: hierarchy.id,
          path: target,
          tids,
        }),
      )
    })
}

function processesBack(
  hierarchy: ObservedHierarchy,
  desired: Place,
  originOf: OriginOf,
  { everyOrigin = [], stranded = 'refuse' }: TeardownOptions,
): readonly MoveProcess[] {
  const { id, cgroups } = hierarchy
  const home = homePath(desired)
  const { parent, sandbox } = sandboxPaths(desired)
  const members = isUnit(desired) ? [parent, sandbox] : [sandbox]
  const inside = new Set(members.flatMap((path) => cgroups[path]?.pids ?? []))
  const [shared, ...others] = new Set(everyOrigin.flatMap((origin) => origin[id] ?? []))
  const birthplace = others.length === 0 ? shared : undefined
  return [...inside].flatMap((pid): readonly MoveProcess[] => {
    const path = [originOf(pid)?.[id], birthplace, home].find(
      (place) => place !== undefined && takesProcesses(cgroups[place]),
    )
    if (path !== undefined) return [{ kind: 'move-process', hierarchy: id, path, pid }]
    if (stranded === 'leave') return []
    throw nowhereToGo(hierarchy, desired, pid)
  })
}

/** Kernel: only the root holds processes and hands controllers down at once. */
function takesProcesses(cgroup: ObservedCgroup | undefined): boolean {
  if (cgroup === undefined) return false
  const isRoot = knobValue(cgroup, TYPE) === undefined
  return isRoot || controllerNames(knobValue(cgroup, SUBTREE_CONTROL)).length === 0
}

function nowhereToGo({ mountPoint }: ObservedHierarchy, desired: Place, pid: number): CgroupError {
  const path = `${mountPoint}${sandboxPaths(desired).sandbox}`
  return new CgroupError(
    'ERR_VMCG_BUSY',
    `${desired.id}: process ${pid} in ${path} has nowhere to go: where it came from is not known, gone, or not ours to give it back to, and ${homePath(desired)} hands controllers down, so that it takes no processes`,
    {
      path,
      value: String(pid),
      hint: `move it: echo ${pid} > ${mountPoint}/<another cgroup>/cgroup.procs; or end it: destroy({ processes: 'kill' })`,
    },
  )
}

/** Of a teardown, only the moves, and only of those that are meant: the cgroups stay. */
export function drainOf(teardown: Plan, isMeant: (id: number) => boolean): Plan {
  const stages = teardown.stages.map(({ name, operations }) => ({
    name,
    operations: operations.flatMap((operation): readonly Operation[] => {
      if (operation.kind === 'move-process') return isMeant(operation.pid) ? [operation] : []
      if (operation.kind !== 'move-threads') return []
      const tids = operation.tids.filter(isMeant)
      return tids.length === 0 ? [] : [{ ...operation, tids }]
    }),
  }))
  return { ...teardown, stages: stages.filter(({ operations }) => operations.length > 0) }
}

/** The cgroups that must be observed for a teardown, beyond those that planning a sandbox looks at. */
export function originPaths(
  origins: readonly Readonly<Record<string, string>>[],
  hierarchy: string,
): readonly string[] {
  return [...new Set(origins.flatMap((paths) => paths[hierarchy] ?? []))]
}

/** What is in effect: a list of v2 can be empty, or longer than what there is. */
const LIST = { 1: 'cpuset.cpus', 2: 'cpuset.cpus.effective' } as const

/**
 * The threads that the leaf's quota, or a cpuset narrower than the sandbox's, holds back; without a leaf those that the
 * cgroup itself does, or any limit that vmcg has set there.
 */
export function limitedThreads(
  where: Pick<Desired, 'id' | 'parent' | 'scope' | 'hasLeaf' | 'managed'>,
  observed: Observed,
): readonly number[] {
  const { parent, sandbox, vcpu } = sandboxPaths(where)
  const limited = observed.hierarchies.flatMap(({ id, version, cgroups }) => {
    const [holding, above] = where.hasLeaf
      ? [cgroups[vcpu], cgroups[sandbox]]
      : [cgroups[sandbox], cgroups[parent]]
    const isOurs = where.managed.some(
      ({ hierarchy, path, knob, value }) =>
        hierarchy === id && path === sandbox && isLimit(knob) && !isUnlimited(knob, value),
    )
    const [own, whole] = [holding, above].map((cgroup) => knobValue(cgroup, LIST[version]))
    const isNarrow = own !== undefined && whole !== undefined && own !== whole
    return hasQuota(holding) || isNarrow || (isOurs && !where.hasLeaf) ? (holding?.tids ?? []) : []
  })
  return [...new Set(limited)]
}

function hasQuota(cgroup: ObservedCgroup | undefined): boolean {
  const isQuotaV1 = Number(knobValue(cgroup, 'cpu.cfs_quota_us') ?? -1) >= 0
  return isQuotaV1 || !(knobValue(cgroup, 'cpu.max') ?? 'max').startsWith('max')
}
