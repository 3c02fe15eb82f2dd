import { CgroupError } from '../errors'
import { threadsFile } from '../model/unified'
import { type Desired, isInScope, preparedPaths } from './desired'
import type { ObservedHierarchy } from './observed'
import { ownPaths } from './own-cgroups'
import type { PlanBuilder } from './plan-builder'

/**
 * Makes what is missing of the cgroups above the sandbox, in every hierarchy but those where systemd does. They are shared,
 * and stay, but for that of a unit.
 */
export function planParents(builder: PlanBuilder, desired: Desired): void {
  for (const { id: hierarchy, controllers, cgroups } of builder.hierarchies) {
    if (isInScope(desired, hierarchy)) continue
    const own = ownPaths(desired, { id: hierarchy, controllers })
    for (const path of preparedPaths(desired, hierarchy)) {
      if (path in cgroups) continue
      builder.add({ kind: 'make-directory', hierarchy, path, shared: !own.includes(path) })
    }
  }
}

/**
 * Makes what is missing of sandbox and leaf in every hierarchy, and tags what is ours.
 *
 * An empty directory without a tag, in a hierarchy that the state claims, is what a crash between mkdir and tag leaves
 * behind, and is taken up.
 */
export function planDirectories(builder: PlanBuilder, desired: Desired): void {
  for (const { id: hierarchy, controllers, cgroups } of builder.hierarchies) {
    for (const path of ownPaths(desired, { id: hierarchy, controllers })) {
      if (!(path in cgroups)) builder.add({ kind: 'make-directory', hierarchy, path, shared: false })
      const { owner, tagAttribute } = desired
      if (cgroups[path]?.owner !== owner)
        builder.add({ kind: 'tag', hierarchy, path, attribute: tagAttribute, owner })
    }
  }
}

/** Throws `ERR_VMCG_FOREIGN_CGROUP` for a directory that stands where ours should and is somebody else's. */
export function refuseForeign(
  hierarchy: ObservedHierarchy,
  path: string,
  desired: Pick<Desired, 'id' | 'owner' | 'claimed' | 'takenOver'>,
): void {
  const cgroup = hierarchy.cgroups[path]
  if (cgroup === undefined || cgroup.owner === desired.owner) return
  if (cgroup.owner === null && desired.takenOver.includes(hierarchy.id)) return
  const isUnfinished = cgroup.owner === null && cgroup.tids.length === 0
  if (isUnfinished && desired.claimed.includes(hierarchy.id)) return
  const directory = `${hierarchy.mountPoint}${path}`
  const whose =
    cgroup.owner === null
      ? 'it has no tag of vmcg'
      : 'it was made from another state, perhaps in another state directory'
  throw new CgroupError(
    'ERR_VMCG_FOREIGN_CGROUP',
    `${desired.id}: ${directory} exists already and is somebody else's (${whose}; threads in it: ${cgroup.tids.length})`,
    {
      path: directory,
      hint: `choose another id, parent or path; to see what is in it: cat ${directory}/${threadsFile(hierarchy.id)}`,
    },
  )
}
