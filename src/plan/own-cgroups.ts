import type { LinuxResources } from '../model/generated/oci'
import type { Desired } from './desired'
import { isInScope, sandboxPaths } from './desired'
import type { ObservedHierarchy } from './observed'

/** One cgroup of our own, and what is asked of it. */
export interface OwnCgroup {
  readonly path: string
  readonly resources: LinuxResources
}

/** Controllers that can tell the threads of a process apart; all others look at whole processes. */
const THREAD_CONTROLLERS: readonly string[] = ['cpu', 'cpuacct', 'cpuset']

export function isThreadController(controller: string): boolean {
  return THREAD_CONTROLLERS.includes(controller)
}

export function isThreadGranular({ controllers }: Pick<ObservedHierarchy, 'controllers'>): boolean {
  return controllers.some(isThreadController)
}

/**
 * Our own cgroups in a hierarchy, from the top. Only those whose controllers hold single threads get the leaf for
 * vCPU threads. The cgroup of a unit is ours where systemd makes none.
 */
export function ownPaths(
  desired: Pick<Desired, 'id' | 'parent' | 'scope' | 'hasLeaf'>,
  hierarchy: Pick<ObservedHierarchy, 'id' | 'controllers'>,
): readonly string[] {
  const { parent, sandbox, vcpu } = sandboxPaths(desired)
  const { scope = null, hasLeaf } = desired
  const isScopeOurs = scope !== null && !isInScope(desired, hierarchy.id)
  return [
    ...(isScopeOurs ? [parent] : []),
    sandbox,
    ...(hasLeaf && isThreadGranular(hierarchy) ? [vcpu] : []),
  ]
}

const DEFAULT_SHARES = 1024
/** kernel/sched/sched.h: MAX_SHARES. */
const MAX_SHARES = 262_144

/**
 * Which of our cgroups gets what. With a leaf, quota and cpuset hold back the vCPU threads only, and everything else
 * is the sandbox's.
 *
 * The containers' weight is that of the whole sandbox. Inside, one cgroup counts as one thread against the sandbox's
 * own threads, so a leaf of four vCPUs would get no more than one busy iothread: its weight is a thread's (1024) for
 * each vCPU thread.
 */
export function ownCgroups(
  desired: Pick<Desired, 'id' | 'parent' | 'scope' | 'hasLeaf' | 'resources' | 'vcpus'>,
): readonly OwnCgroup[] {
  const { sandbox, vcpu } = sandboxPaths(desired)
  if (!desired.hasLeaf) return [{ path: sandbox, resources: desired.resources }]
  const { cpu = {}, ...others } = desired.resources
  const { shares, ...leafCpu } = cpu
  const weight = Math.min(DEFAULT_SHARES * desired.vcpus.length, MAX_SHARES)
  return [
    {
      path: sandbox,
      resources: { ...others, ...(shares !== undefined && { cpu: { shares: clampShares(shares) } }) },
    },
    { path: vcpu, resources: { cpu: { ...leafCpu, ...(weight > 0 && { shares: weight }) } } },
  ]
}

/** The sum over containers can leave the range that the kernel holds weights to. */
function clampShares(shares: number): number {
  return shares <= 0 ? shares : Math.min(Math.max(shares, 2), MAX_SHARES)
}
