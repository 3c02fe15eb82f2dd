import type { Desired } from './desired'
import { sandboxPaths } from './desired'
import { refuseForeign } from './directories'
import { knobValue, type Observed, type ObservedHierarchy } from './observed'
import type { Plan } from './operations'
import { ownPaths } from './own-cgroups'
import { PlanBuilder } from './plan-builder'

/** Where somebody came from: pid (or tid, of those put in by hand) → hierarchy id → the cgroup it was in before. */
export type Origins = ReadonlyMap<number, Readonly<Record<string, string>>>

/**
 * The operations that take a sandbox away: every thread in it goes back to the cgroup that it or its process came from
 * (to the parent, where that is not known or no longer there), then the directories go, from the leaf up. The parent
 * stays. Only what is in the sandbox is moved, thread by thread, so a thread that somebody took out stays out.
 *
 * @throws `ERR_VMCG_FOREIGN_CGROUP` where a directory of the sandbox's name is not its own.
 */
export function planTeardown(
  desired: Pick<Desired, 'id' | 'parent' | 'owner' | 'claimed' | 'takenOver' | 'hasLeaf'>,
  observed: Observed,
  origins: Origins,
  threadOrigins: Origins = new Map(),
): Plan {
  const builder = new PlanBuilder(observed)
  for (const hierarchy of builder.hierarchies) {
    for (const path of ownPaths(desired, hierarchy)) refuseForeign(hierarchy, path, desired)
  }
  const processOf = new Map(
    observed.processes.flatMap(({ pid, threads }) => threads.map(({ tid }) => [tid, pid])),
  )
  const originOf = (tid: number) => {
    const pid = processOf.get(tid)
    return threadOrigins.get(tid) ?? (pid === undefined ? undefined : origins.get(pid))
  }
  builder.stage('drain')
  for (const hierarchy of builder.hierarchies) {
    for (const path of ownPaths(desired, hierarchy).toReversed()) {
      for (const [target, tids] of drainTargets(hierarchy, path, desired.parent, originOf)) {
        builder.add({ kind: 'move-threads', hierarchy: hierarchy.id, path: target, tids })
      }
    }
  }
  builder.stage('removal')
  for (const { id: hierarchy, controllers, cgroups } of builder.hierarchies) {
    for (const path of ownPaths(desired, { controllers }).toReversed()) {
      if (path in cgroups) builder.add({ kind: 'remove-directory', hierarchy, path })
    }
  }
  return builder.finish(desired.id)
}

/** Of a teardown, only the moves, and only of the threads that are meant: the cgroups stay. */
export function drainOf(teardown: Plan, isMeant: (tid: number) => boolean): Plan {
  const stages = teardown.stages.map(({ name, operations }) => ({
    name,
    operations: operations.flatMap((operation) => {
      if (operation.kind !== 'move-threads') return []
      const tids = operation.tids.filter(isMeant)
      return tids.length === 0 ? [] : [{ ...operation, tids }]
    }),
  }))
  return { ...teardown, stages: stages.filter(({ operations }) => operations.length > 0) }
}

function drainTargets(
  hierarchy: ObservedHierarchy,
  path: string,
  parent: string,
  originOf: (tid: number) => Readonly<Record<string, string>> | undefined,
): ReadonlyMap<string, readonly number[]> {
  const targets = new Map<string, number[]>()
  for (const tid of hierarchy.cgroups[path]?.tids ?? []) {
    const origin = originOf(tid)?.[hierarchy.id]
    const target = origin !== undefined && origin in hierarchy.cgroups ? origin : parent
    targets.set(target, [...(targets.get(target) ?? []), tid])
  }
  return targets
}

/** The cgroups that must be observed for a teardown, beyond those that planning a sandbox looks at. */
export function originPaths(origins: Origins, hierarchy: string): readonly string[] {
  return [...new Set([...origins.values()].flatMap((paths) => paths[hierarchy] ?? []))]
}

/** The threads that the leaf's quota, or a cpuset narrower than the sandbox's, holds back. */
export function limitedThreads(where: Pick<Desired, 'id' | 'parent'>, observed: Observed): readonly number[] {
  const { sandbox, vcpu } = sandboxPaths(where)
  const limited = observed.hierarchies.flatMap(({ cgroups }) => {
    const leaf = cgroups[vcpu]
    const hasQuota = Number(knobValue(leaf, 'cpu.cfs_quota_us') ?? -1) >= 0
    const isNarrow = knobValue(leaf, 'cpuset.cpus') !== knobValue(cgroups[sandbox], 'cpuset.cpus')
    return hasQuota || isNarrow ? (leaf?.tids ?? []) : []
  })
  return [...new Set(limited)]
}
