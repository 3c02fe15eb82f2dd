import { CgroupError } from '../errors'
import type { Desired } from './desired'
import type { ObservedHierarchy } from './observed'
import { pathChain } from './observed'
import { ownPaths } from './own-cgroups'
import type { PlanBuilder } from './plan-builder'

/**
 * Makes what is missing of parent, sandbox and leaf in every hierarchy, from the top, and tags what is ours.
 *
 * An empty directory without a tag, in a hierarchy that the state claims, is what a crash between mkdir and tag leaves
 * behind, and is taken up. Anything else that stands in our place is somebody's, and is refused before the first write
 * with `ERR_VMCG_FOREIGN_CGROUP`.
 */
export function planDirectories(builder: PlanBuilder, desired: Desired): void {
  for (const hierarchy of builder.hierarchies) {
    for (const path of ownPaths(desired, hierarchy)) refuseForeign(hierarchy, path, desired)
  }
  builder.stage('directories')
  for (const { id: hierarchy, controllers, cgroups } of builder.hierarchies) {
    for (const path of pathChain(desired.parent)) {
      if (!(path in cgroups)) builder.add({ kind: 'make-directory', hierarchy, path, shared: true })
    }
    for (const path of ownPaths(desired, { controllers })) {
      if (!(path in cgroups)) builder.add({ kind: 'make-directory', hierarchy, path, shared: false })
      const { owner, tagAttribute } = desired
      if (cgroups[path]?.owner !== owner)
        builder.add({ kind: 'tag', hierarchy, path, attribute: tagAttribute, owner })
    }
  }
}

/** Throws `ERR_VMCG_FOREIGN_CGROUP` for a directory that stands where ours should and is not ours. */
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
      hint: `choose another id, parent or path; to see what is in it: cat ${directory}/tasks`,
    },
  )
}
