import type { LinuxCpu, LinuxNetwork, LinuxResources } from '../model/generated/oci'
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
  return partOf(
    resources,
    (...controllers) =>
      (controllers.map(versionOf).find((found) => found !== undefined) ?? otherwise) === version,
  )
}

/** Resources without what these controllers would do. */
export function resourcesWithout(
  controllers: ReadonlySet<string>,
  resources: LinuxResources,
): LinuxResources {
  return partOf(resources, (...names) => !names.some((name) => controllers.has(name)))
}

/** @param isWanted told of the controllers that do the same, each on its version. */
function partOf(
  resources: LinuxResources,
  isWanted: (...controllers: readonly string[]) => boolean,
): LinuxResources {
  const { cpu, memory, pids, blockIO, hugepageLimits, network, rdma, unified } = resources
  const ownCpu = cpu && cpuPart(cpu, isWanted('cpu'), isWanted('cpuset'))
  const ownNetwork = network && networkPart(network, isWanted('net_cls'), isWanted('net_prio'))
  const ownUnified = Object.entries(unified ?? {}).filter(([file]) => isWanted(controllerOf(file)))
  return {
    ...(ownCpu && Object.keys(ownCpu).length > 0 && { cpu: ownCpu }),
    ...(memory && isWanted('memory') && { memory }),
    ...(pids && isWanted('pids') && { pids }),
    ...(blockIO && isWanted('io', 'blkio') && { blockIO }),
    ...(hugepageLimits && isWanted('hugetlb') && { hugepageLimits }),
    ...(ownNetwork && { network: ownNetwork }),
    ...(rdma && isWanted('rdma') && { rdma }),
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

function networkPart(
  network: LinuxNetwork,
  hasClass: boolean,
  hasPriorities: boolean,
): LinuxNetwork | undefined {
  if (hasClass === hasPriorities) return hasClass ? network : undefined
  const { classID, priorities } = network
  const part = hasClass
    ? { ...(classID !== undefined && { classID }) }
    : { ...(priorities !== undefined && { priorities }) }
  return Object.keys(part).length > 0 ? part : undefined
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
