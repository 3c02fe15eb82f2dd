import type { Desired } from './desired'
import { planDirectories } from './directories'
import { planLimitsV1 } from './limits-v1'
import type { Observed } from './observed'
import type { Plan } from './operations'
import { planPlacement } from './placement'
import { PlanBuilder } from './plan-builder'

/**
 * The operations that turn what was observed into what is desired, in stages: directories, limits, placement. Pure.
 * The plan of a sandbox that already is as desired has no stages.
 *
 * @throws `ERR_VMCG_FOREIGN_CGROUP` where somebody else's directory stands in the sandbox's place,
 *   `ERR_VMCG_OUT_OF_RANGE` for CPUs or memory nodes that the parent cgroup does not have, and for a quota and period
 *   that the kernel cannot take.
 */
export function planSandbox(desired: Desired, observed: Observed): Plan {
  const builder = new PlanBuilder(observed)
  planDirectories(builder, desired)
  planLimitsV1(builder, desired)
  planPlacement(builder, desired)
  return builder.finish(desired.id)
}
