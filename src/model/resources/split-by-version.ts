import type { LinuxResources } from '../generated/oci'

/** Which controller is on which version. */
export interface Versions {
  /** undefined: the controller is not mounted. */
  readonly of: (controller: string) => 1 | 2 | undefined
  /** Of the hierarchies that have controllers at all. */
  readonly mounted: readonly (1 | 2)[]
}

/** The versions as hierarchies have them. */
export function versionsOf(
  hierarchies: readonly { readonly version: 1 | 2; readonly controllers: readonly string[] }[],
): Versions {
  const used = hierarchies.filter(({ controllers }) => controllers.length > 0)
  return {
    of: (name) => used.find(({ controllers }) => controllers.includes(name))?.version,
    mounted: [...new Set(used.map(({ version }) => version))].sort(),
  }
}

/** What is asked of the controllers of each version. */
export interface ResourcesByVersion {
  readonly 1: LinuxResources
  readonly 2: LinuxResources
}

/** What one controller answers for. */
interface Part {
  readonly v1: string
  /** Its name on v2, where that is another. */
  readonly v2?: string
  readonly of: (resources: LinuxResources) => LinuxResources
}

const PARTS: readonly Part[] = [
  {
    v1: 'cpu',
    of: ({ cpu }) => {
      if (cpu === undefined) return {}
      const { cpus: _cpus, mems: _mems, ...bandwidth } = cpu
      return { cpu: bandwidth }
    },
  },
  {
    v1: 'cpuset',
    of: ({ cpu: { cpus, mems } = {} }) => ({
      ...((cpus !== undefined || mems !== undefined) && {
        cpu: { ...(cpus !== undefined && { cpus }), ...(mems !== undefined && { mems }) },
      }),
    }),
  },
  { v1: 'memory', of: ({ memory }) => ({ ...(memory && { memory }) }) },
  { v1: 'pids', of: ({ pids }) => ({ ...(pids && { pids }) }) },
  { v1: 'blkio', v2: 'io', of: ({ blockIO }) => ({ ...(blockIO && { blockIO }) }) },
  { v1: 'hugetlb', of: ({ hugepageLimits }) => ({ ...(hugepageLimits && { hugepageLimits }) }) },
  {
    v1: 'net_cls',
    of: ({ network: { classID } = {} }) => ({ ...(classID !== undefined && { network: { classID } }) }),
  },
  {
    v1: 'net_prio',
    of: ({ network: { priorities } = {} }) => ({
      ...(priorities !== undefined && { network: { priorities } }),
    }),
  },
  { v1: 'rdma', of: ({ rdma }) => ({ ...(rdma && { rdma }) }) },
]

/**
 * Each resource goes to where its controller lives: a hybrid host has some on v1 and some on v2. What no hierarchy has
 * goes to v1 while there are controllers on it, and says there what is missing. `unified` is for v2 wherever that is
 * mounted. Device rules belong to no version, and are left out.
 */
export function splitByVersion(resources: LinuxResources, versions: Versions): ResourcesByVersion {
  const fallback = versions.mounted.includes(1) ? 1 : 2
  const part = (version: 1 | 2): LinuxResources => {
    const parts = PARTS.filter(
      ({ v1, v2 = v1 }) => (versions.of(v2) ?? versions.of(v1) ?? fallback) === version,
    )
    const { unified } = resources
    const isUnifiedHere = (versions.mounted.includes(2) ? 2 : 1) === version
    return {
      ...parts.map(({ of }) => of(resources)).reduce(merged, {}),
      ...(unified !== undefined && isUnifiedHere && { unified }),
    }
  }
  return { 1: part(1), 2: part(2) }
}

function merged(a: LinuxResources, b: LinuxResources): LinuxResources {
  return {
    ...a,
    ...b,
    ...(a.cpu && b.cpu && { cpu: { ...a.cpu, ...b.cpu } }),
    ...(a.network && b.network && { network: { ...a.network, ...b.network } }),
  }
}
