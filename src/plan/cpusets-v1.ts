import { VmcgError } from '../errors'
import { canonicalCpuList, formatCpuList, isSubset, parseCpuList } from '../model/cpu-list'
import { type Desired, preparedPaths, sandboxPaths } from './desired'
import { parentPath } from './observed'
import { ownCgroups } from './own-cgroups'
import type { PlanBuilder } from './plan-builder'
import { versionOfHierarchy } from './versions'

const LISTS = [
  { knob: 'cpuset.cpus', field: 'cpus' },
  { knob: 'cpuset.mems', field: 'mems' },
] as const

/**
 * A v1 cpuset starts empty and takes no thread until it has CPUs and memory nodes: empty ones above ours get what
 * their parents have, ours what the containers ask for, or else all that their parents have. That is looked at each
 * time, since the kernel takes CPUs that go offline out of every cpuset and never puts them back.
 *
 * The kernel lets no cpuset leave its parent and no parent shrink below its children, so what grows goes from the top
 * down and what shrinks from the bottom up. A list that does both goes by way of the union of old and new.
 *
 * @throws `ERR_VMCG_OUT_OF_RANGE` for CPUs or memory nodes that the parent does not have.
 */
export function planCpusets(builder: PlanBuilder, desired: Desired): void {
  const hierarchy = builder.hierarchyOf('cpuset')
  if (hierarchy === undefined || versionOfHierarchy(hierarchy) === 2) return
  for (const { knob, field } of LISTS) {
    for (const path of preparedPaths(desired, hierarchy)) {
      if (builder.knob(hierarchy, path, knob) === '') {
        builder.write(hierarchy, path, knob, builder.knob(hierarchy, parentPath(path), knob) ?? '')
      }
    }
    const { parent } = sandboxPaths(desired)
    let bound = { path: parent, list: builder.knob(hierarchy, parent, knob) ?? '' }
    const lists = ownCgroups(desired).map(({ path, resources }) => {
      const asked = resources.cpu?.[field]
      if (asked === undefined || asked === '') return { path, list: bound.list }
      const list = canonicalCpuList(asked)
      refuseOutside(knob, list, bound.list, `${hierarchy}:${bound.path}`)
      bound = { path, list }
      return bound
    })
    for (const { path, list } of lists)
      builder.write(hierarchy, path, knob, union(builder.knob(hierarchy, path, knob) ?? '', list))
    for (const { path, list } of lists.toReversed()) builder.write(hierarchy, path, knob, list)
  }
}

function union(a: string, b: string): string {
  if (a === '' || a === b) return canonicalCpuList(b)
  return formatCpuList([...parseCpuList(a), ...parseCpuList(b)])
}

export function refuseOutside(knob: string, wanted: string, available: string, parent: string): void {
  if (isSubset(wanted, available)) return
  throw new VmcgError(
    'ERR_VMCG_OUT_OF_RANGE',
    `${knob}: ${wanted} is asked for, and the parent cgroup ${parent} has only ${available}`,
    { value: wanted, hint: `ask for a part of ${available}, or widen ${knob} of the parent` },
  )
}
