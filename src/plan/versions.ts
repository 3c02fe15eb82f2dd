import type { LinuxCpu, LinuxResources } from '../model/generated/oci'
import { UNIFIED } from '../model/unified'

export type Version = 1 | 2

/** The version of the hierarchy that a controller lives in; undefined for one that is mounted nowhere. */
export type VersionOf = (controller: string) => Version | undefined

/** Where hierarchies have each controller. */
export function versionsIn(
  hierarchies: readonly { readonly version: Version; readonly controllers: readonly string[] }[],
): VersionOf {
  return (controller) => hierarchies.find(({ controllers }) => controllers.includes(controller))?.version
}

/**
 * The part of resources that is for the hierarchies of one version: on a hybrid host each controller is used where it
 * lives.
 *
 * @param otherwise whose part those are that have no controller here, so that they are refused there; undefined:
 *   nobody's.
 */
export function resourcesOn(
  version: Version,
  resources: LinuxResources,
  versionOf: VersionOf,
  otherwise?: Version,
): LinuxResources {
  const { cpu, memory, pids, blockIO, hugepageLimits, network, rdma, unified } = resources
  const isHere = (...controllers: readonly string[]) =>
    (controllers.map(versionOf).find((found) => found !== undefined) ?? otherwise) === version
  const ownCpu = cpu && cpuPart(cpu, isHere('cpu'), isHere('cpuset'))
  const ownUnified = Object.entries(unified ?? {}).filter(([file]) => isHere(controllerOf(file)))
  return {
    ...(ownCpu && Object.keys(ownCpu).length > 0 && { cpu: ownCpu }),
    ...(memory && isHere('memory') && { memory }),
    ...(pids && isHere('pids') && { pids }),
    ...(blockIO && isHere('io', 'blkio') && { blockIO }),
    ...(hugepageLimits && isHere('hugetlb') && { hugepageLimits }),
    ...(network && isHere('net_cls', 'net_prio') && { network }),
    ...(rdma && isHere('rdma') && { rdma }),
    ...(ownUnified.length > 0 && { unified: Object.fromEntries(ownUnified) }),
  }
}

function cpuPart({ cpus, mems, ...time }: LinuxCpu, hasTime: boolean, hasLists: boolean): LinuxCpu {
  return {
    ...(hasTime && time),
    ...(hasLists && cpus !== undefined && { cpus }),
    ...(hasLists && mems !== undefined && { mems }),
  }
}

/** The first part of the names of files that no controller has, and every cgroup of v2 (`cgroup.max.depth`). */
export const CORE = 'cgroup'

/** `'blkio'` of `'blkio.throttle.read_bps_device'`. */
export function controllerOf(file: string): string {
  const dot = file.indexOf('.')
  return dot === -1 ? file : file.slice(0, dot)
}

/** The version of a hierarchy by its id. */
export function versionOfHierarchy(id: string): Version {
  return id === UNIFIED ? 2 : 1
}
