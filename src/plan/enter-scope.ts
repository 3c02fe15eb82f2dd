import { type Desired, isInScope, sandboxPaths } from './desired'
import { refuseForeign } from './directories'
import type { Observed } from './observed'
import type { Plan } from './operations'
import { PlanBuilder } from './plan-builder'

/**
 * The operations that bring whoever is in the cgroup of a unit into the sandbox's own below it, on v2. systemd puts
 * processes into the former, and as long as it holds any it can hand no controllers down.
 *
 * @throws `ERR_VMCG_FOREIGN_CGROUP` where somebody else's directory stands in the sandbox's place.
 *
 * Source: kernel, Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint"; systemd,
 * docs/CGROUP_DELEGATION.md.
 */
export function planScopeEntry(
  desired: Pick<Desired, 'id' | 'parent' | 'scope' | 'owner' | 'tagAttribute' | 'claimed' | 'takenOver'>,
  observed: Observed,
): Plan {
  const builder = new PlanBuilder(observed)
  const { parent, sandbox: path } = sandboxPaths(desired)
  const { owner, tagAttribute: attribute } = desired
  const entered = observed.hierarchies.filter(({ id, version }) => version === 2 && isInScope(desired, id))
  for (const hierarchy of entered) refuseForeign(hierarchy, path, desired)
  builder.stage('directories')
  for (const { id: hierarchy, cgroups } of entered) {
    if (!(path in cgroups)) builder.add({ kind: 'make-directory', hierarchy, path, shared: false })
    if (cgroups[path]?.owner !== owner) builder.add({ kind: 'tag', hierarchy, path, attribute, owner })
  }
  builder.stage('placement')
  for (const { id: hierarchy, cgroups } of entered) {
    for (const pid of cgroups[parent]?.pids ?? []) builder.add({ kind: 'move-process', hierarchy, path, pid })
  }
  return builder.finish(desired.id)
}
