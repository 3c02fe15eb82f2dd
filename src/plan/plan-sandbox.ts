import { planCpusets } from './cpusets-v1'
import type { Desired } from './desired'
import { planDevicesV1 } from './devices-v1'
import { planDevicesV2 } from './devices-v2'
import { planDirectories, planParents, refuseForeign } from './directories'
import { planControllers, planThreadRoot, refuseUnfit } from './domains-v2'
import { planKnobs } from './knobs'
import { handedDownControllers } from './needed-controllers'
import type { Observed } from './observed'
import type { Plan } from './operations'
import { ownPaths } from './own-cgroups'
import { planPlacement } from './placement'
import { PlanBuilder } from './plan-builder'
import { versionsIn } from './versions'

/** A plan, and what a look finds once it has been carried out and nobody else has done anything. */
export interface PlanAhead {
  readonly plan: Plan
  readonly expected: Observed
}

/**
 * The operations that turn what was observed into what is desired, in stages: directories, limits, placement. Pure.
 * The plan of a sandbox that already is as desired has no stages.
 *
 * @throws `ERR_VMCG_FOREIGN_CGROUP` where somebody else's directory stands in the sandbox's place,
 *   `ERR_VMCG_CGROUP_TYPE`, `ERR_VMCG_INTERNAL_PROCESSES` where a v2 hierarchy cannot hold a sandbox there,
 *   `ERR_VMCG_OUT_OF_RANGE` for CPUs or memory nodes that the parent cgroup does not have, and for what the kernel
 *   would refuse or clamp; `ERR_VMCG_NO_CONTROLLER`, `ERR_VMCG_UNSUPPORTED`, `ERR_VMCG_INVALID_ARGUMENT`, as
 *   `resourceWrites` and the device rules say.
 */
export function planSandbox(desired: Desired, observed: Observed): Plan {
  return planAhead(desired, observed).plan
}

/** As {@link planSandbox}. */
export function planAhead(desired: Desired, observed: Observed): PlanAhead {
  const builder = new PlanBuilder(observed)
  const isOnV2 = observed.hierarchies.some(({ version }) => version === 2)
  const needed = isOnV2 ? handedDownControllers(desired, versionsIn(observed.hierarchies)) : []
  for (const hierarchy of observed.hierarchies) {
    for (const path of ownPaths(desired, hierarchy)) refuseForeign(hierarchy, path, desired)
    refuseUnfit(hierarchy, desired, needed)
  }
  for (const what of desired.leftOut ?? []) builder.warn(`${desired.id}: ${what}; it is left out`)
  builder.stage('directories')
  planParents(builder, desired)
  planControllers(builder, desired, needed)
  planDirectories(builder, desired)
  planThreadRoot(builder, desired, needed)
  builder.stage('limits')
  planKnobs(builder, desired)
  planCpusets(builder, desired)
  if (builder.hierarchyOf('devices') === undefined) planDevicesV2(builder, desired)
  else planDevicesV1(builder, desired)
  planPlacement(builder, desired)
  return { plan: builder.finish(desired.id), expected: builder.state }
}
