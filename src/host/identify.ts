import type { Identify } from '../engine/strangers'
import { type Hierarchy, pathBelowMount } from './hierarchies'
import { readLineage, readProcessCgroups, readStartTime } from './process'

/** Tells who has a thread id now, where it is, and where whoever made it is; for {@link putBackStrangers}. */
export function identifyIn(hierarchies: readonly Hierarchy[]): Identify {
  return (tid) => {
    const startTime = readStartTime(tid)
    const place = cgroupPaths(tid, hierarchies)
    const lineage = readLineage(tid)
    if (startTime === undefined || place === undefined || lineage === undefined) return undefined
    const { tgid, ppid } = lineage
    const creator = tid === tgid ? ppid : tgid
    return { startTime, place, home: (creator > 0 ? cgroupPaths(creator, hierarchies) : undefined) ?? {} }
  }
}

/**
 * Where a process's main thread, or the thread of this id, is: hierarchy id → path below the mount point. A cgroup
 * that lies outside what this process sees of a hierarchy is left out.
 *
 * @returns undefined when there is no such process.
 */
export function cgroupPaths(
  pid: number,
  hierarchies: readonly Hierarchy[],
): Readonly<Record<string, string>> | undefined {
  const cgroups = readProcessCgroups(pid)
  if (cgroups === undefined) return undefined
  const paths = hierarchies.flatMap((hierarchy) => {
    const found = cgroups.find(({ hierarchyId, controllers }) =>
      hierarchy.version === 2 ? hierarchyId === 0 : controllers.join(',') === hierarchy.id,
    )
    const path = found === undefined ? undefined : pathBelowMount(hierarchy, found.path)
    return path === undefined ? [] : [[hierarchy.id, path] as const]
  })
  return Object.fromEntries(paths)
}
