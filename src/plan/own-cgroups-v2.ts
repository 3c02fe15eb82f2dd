import type { LinuxResources } from '../model/generated/oci'
import { type Desired, sandboxPaths } from './desired'
import type { OwnCgroup } from './own-cgroups'
import { controllerOf } from './versions'

/** CGROUP_WEIGHT_DFL and CGROUP_WEIGHT_MAX of include/linux/cgroup-defs.h. */
const DEFAULT_WEIGHT = 100
const MAX_WEIGHT = 10_000

/**
 * Which of our cgroups of v2 gets what. With a leaf, `cpu.max`, its burst and the cpuset hold back the vCPU threads
 * only, whether a field or `unified` asks for them. Everything else is the sandbox's: its weight against other
 * sandboxes, and so `cpu.idle`, and what only whole processes can be counted by.
 *
 * As on v1 the weight of the leaf is that of a thread for each vCPU thread.
 *
 * @param resources The part that is for v2.
 * @param hasCpu Whether v2 has the cpu controller.
 */
export function ownCgroupsV2(
  desired: Pick<Desired, 'id' | 'parent' | 'scope' | 'hasLeaf' | 'vcpus'>,
  resources: LinuxResources,
  hasCpu: boolean,
): readonly OwnCgroup[] {
  const { sandbox, vcpu } = sandboxPaths(desired)
  if (!desired.hasLeaf) return [{ path: sandbox, resources }]
  const { cpu = {}, unified = {}, ...others } = resources
  const { quota, period, burst, cpus, mems, ...ownCpu } = cpu
  const leafCpu = {
    ...(quota !== undefined && { quota }),
    ...(period !== undefined && { period }),
    ...(burst !== undefined && { burst }),
    ...(cpus !== undefined && { cpus }),
    ...(mems !== undefined && { mems }),
  }
  const weight = Math.min(DEFAULT_WEIGHT * desired.vcpus.length, MAX_WEIGHT)
  const leafUnified = {
    ...(hasCpu && weight > 0 && { 'cpu.weight': String(weight) }),
    ...part(unified, isForLeaf),
  }
  return [
    {
      path: sandbox,
      resources: { ...others, cpu: ownCpu, unified: part(unified, (file) => !isForLeaf(file)) },
    },
    { path: vcpu, resources: { cpu: leafCpu, unified: leafUnified } },
  ]
}

/** Files that are written where the vCPU threads are: those of time per period, and of where threads run. */
function isForLeaf(file: string): boolean {
  return file.startsWith('cpu.max') || controllerOf(file) === 'cpuset'
}

function part(
  unified: Readonly<Record<string, string>>,
  isWanted: (file: string) => boolean,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(unified).filter(([file]) => isWanted(file)))
}
