import { SystemdError } from './errors'
import { type Hierarchy, pathBelowMount } from './host/hierarchies'
import type { ScopePlace } from './plan/desired'
import type { StartedScope } from './systemd/start-scope'

/**
 * Where a unit is, in the hierarchies in which systemd has made it.
 *
 * @throws `ERR_VMCG_VERIFY` where no hierarchy that this process sees has it.
 */
export function placeOf(
  { unit, controlGroup, cgroups }: Pick<StartedScope, 'unit' | 'controlGroup' | 'cgroups'>,
  hierarchies: readonly Hierarchy[],
): ScopePlace {
  const places = hierarchies.flatMap((hierarchy) => {
    const found = cgroups.find(({ hierarchyId, controllers }) =>
      hierarchy.version === 2 ? hierarchyId === 0 : controllers.join(',') === hierarchy.id,
    )
    const path = found && pathBelowMount(hierarchy, found.path)
    return path === undefined ? [] : [{ id: hierarchy.id, path }]
  })
  const [first] = places
  if (first === undefined || first.path === '/') throw unseen(unit, controlGroup)
  const { path } = first
  // Seen elsewhere, as in a cgroup namespace of one hierarchy only, it is joined by ourselves at the path of the others.
  return { path, hierarchies: places.filter((place) => place.path === path).map(({ id }) => id) }
}

function unseen(unit: string, controlGroup: string): SystemdError {
  return new SystemdError(
    'ERR_VMCG_VERIFY',
    `systemd has started ${unit}, but its cgroup ${controlGroup} is not in what this process sees of the cgroup tree`,
    { path: controlGroup, hint: 'run vmcg where the whole tree is mounted: outside of a cgroup namespace' },
  )
}
