import type { LinuxResources } from '../generated/oci'
import { arrangeBlkio, blkioDemands } from './blkio-v1'
import { arrangeCpu, cpuDemands } from './cpu-v1'
import { cpusetDemands } from './cpuset'
import { refuse, section } from './fields'
import { hugetlbDemands } from './hugetlb-v1'
import type { Demand, DemandContext } from './knob'
import { lifts } from './lifts'
import { arrangeMemory, memoryDemands } from './memory-v1'
import { netClsDemands, netPrioDemands } from './network-v1'
import { pidsDemands } from './pids'
import { rdmaDemands } from './rdma'

/** One controller: what is asked of it, and how it is ordered where the kernel cares. */
interface Controller {
  readonly name: string
  /** Where it is asked for something. */
  readonly field: keyof LinuxResources
  readonly demands: (resources: LinuxResources, context: DemandContext) => readonly Demand[]
  readonly arrange?: (demands: readonly Demand[], context: DemandContext) => readonly Demand[]
}

const CONTROLLERS: readonly Controller[] = [
  {
    name: 'cpu',
    field: 'cpu',
    demands: ({ cpu }) => cpuDemands(section('cpu', cpu) ?? {}),
    arrange: arrangeCpu,
  },
  { name: 'cpuset', field: 'cpu', demands: ({ cpu }) => cpusetDemands(section('cpu', cpu) ?? {}) },
  {
    name: 'memory',
    field: 'memory',
    demands: ({ memory }, context) => memoryDemands(section('memory', memory) ?? {}, context),
    arrange: arrangeMemory,
  },
  { name: 'pids', field: 'pids', demands: ({ pids }) => pidsDemands(section('pids', pids)) },
  {
    name: 'blkio',
    field: 'blockIO',
    demands: ({ blockIO }, context) => blkioDemands(section('blockIO', blockIO) ?? {}, context),
    arrange: arrangeBlkio,
  },
  {
    name: 'hugetlb',
    field: 'hugepageLimits',
    demands: ({ hugepageLimits }, context) => hugetlbDemands(hugepageLimits, context),
  },
  {
    name: 'net_cls',
    field: 'network',
    demands: ({ network }) => netClsDemands(section('network', network) ?? {}),
  },
  {
    name: 'net_prio',
    field: 'network',
    demands: ({ network }) => netPrioDemands(section('network', network) ?? {}),
  },
  { name: 'rdma', field: 'rdma', demands: ({ rdma }) => rdmaDemands(section('rdma', rdma) ?? {}) },
]

/** What resources ask of a cgroup in v1 hierarchies, and what of the earlier writes is taken back, in order. */
export function demandsV1(resources: LinuxResources, context: DemandContext): readonly Demand[] {
  refuseUnified(resources.unified, context)
  return CONTROLLERS.flatMap(({ name, field, demands, arrange }) => {
    const written = context.previous.filter(({ controller }) => controller === name)
    // Most cgroups are asked for one or two of them.
    if (resources[field] === undefined && written.length === 0) return []
    const asked = demands(resources, context)
    const all = [...asked, ...lifts(1, written, asked)]
    return arrange === undefined ? all : arrange(all, context)
  })
}

function refuseUnified(unified: LinuxResources['unified'], { onUnsupported }: DemandContext): void {
  for (const key of Object.keys(section('unified', unified) ?? {})) {
    const why = 'is a file of cgroup v2, and these hierarchies are v1'
    const hint = 'use the fields of cpu, memory, ... instead'
    onUnsupported(refuse('ERR_VMCG_UNSUPPORTED', 'unified', key, why, hint))
  }
}
