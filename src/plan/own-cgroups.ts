import type { LinuxResources } from '../model/generated/oci'
import type { Desired } from './desired'
import { sandboxPaths } from './desired'
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
 * vCPU threads.
 */
export function ownPaths(
  desired: Pick<Desired, 'id' | 'parent' | 'hasLeaf'>,
  hierarchy: Pick<ObservedHierarchy, 'controllers'>,
): readonly string[] {
  const { sandbox, vcpu } = sandboxPaths(desired)
  return desired.hasLeaf && isThreadGranular(hierarchy) ? [sandbox, vcpu] : [sandbox]
}

const DEFAULT_SHARES = 1024
/** kernel/sched/sched.h: MAX_SHARES. */
const MAX_SHARES = 262_144

/**
 * Which of our cgroups gets what, of what one version is asked for. With a leaf, quota and cpuset hold back the vCPU
 * threads only, and everything else is the sandbox's.
 *
 * The containers' weight is that of the whole sandbox. Inside, one cgroup counts as one thread against the sandbox's
 * own threads, so a leaf of four vCPUs would get no more than one busy iothread: its weight is a thread's (1024 on v1,
 * 100 on v2) for each vCPU thread. A leaf that runs only when the CPU is idle has none.
 *
 * @param resources those of this version; `unified` goes where the field goes that writes the same file.
 */
export function ownCgroups(
  desired: Pick<Desired, 'id' | 'parent' | 'hasLeaf' | 'vcpus'>,
  resources: LinuxResources,
  version: 1 | 2,
): readonly OwnCgroup[] {
  const { sandbox, vcpu } = sandboxPaths(desired)
  if (!desired.hasLeaf) return [{ path: sandbox, resources }]
  const { cpu = {}, unified = {}, ...others } = resources
  const { shares, ...leafCpu } = cpu
  const [sandboxFiles, leafFiles] = [false, true].map((isLeaf) =>
    Object.fromEntries(Object.entries(unified).filter(([file]) => isLeafFile(file) === isLeaf)),
  )
  const weight = leafCpu.idle === 1 ? {} : leafWeight(desired.vcpus.length, version)
  return [
    withUnified(
      { ...others, ...(shares !== undefined && { cpu: { shares: clampShares(shares) } }) },
      sandboxFiles,
    ),
    withUnified({ cpu: { ...leafCpu, ...weight.cpu } }, { ...weight.unified, ...leafFiles }),
  ].map((own, index) => ({ path: index === 0 ? sandbox : vcpu, resources: own }))
}

/** The files that hold threads back, and are written to the leaf as quota and cpuset are. */
function isLeafFile(file: string): boolean {
  return /^(?:cpuset\.|cpu\.(?!weight))/.test(file)
}

function withUnified(resources: LinuxResources, unified: LinuxResources['unified'] = {}): LinuxResources {
  return Object.keys(unified).length === 0 ? resources : { ...resources, unified }
}

const DEFAULT_WEIGHT = 100
/** Kernel, Documentation/admin-guide/cgroup-v2.rst, Weights. */
const MAX_WEIGHT = 10_000

/** No field of the OCI spec comes to 100 for each vCPU on v2: shares are converted by a curve. */
function leafWeight(vcpus: number, version: 1 | 2): Pick<LinuxResources, 'cpu' | 'unified'> {
  if (vcpus === 0) return {}
  return version === 1
    ? { cpu: { shares: Math.min(DEFAULT_SHARES * vcpus, MAX_SHARES) } }
    : { unified: { 'cpu.weight': String(Math.min(DEFAULT_WEIGHT * vcpus, MAX_WEIGHT)) } }
}

/** The sum over containers can leave the range that the kernel holds weights to. */
function clampShares(shares: number): number {
  return shares <= 0 ? shares : Math.min(Math.max(shares, 2), MAX_SHARES)
}
