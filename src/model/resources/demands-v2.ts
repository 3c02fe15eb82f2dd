import type { LinuxResources } from '../generated/oci'
import { arrangeCpuV2, cpuDemandsV2 } from './cpu-v2'
import { cpusetDemands } from './cpuset'
import { section } from './fields'
import { hugetlbDemandsV2 } from './hugetlb-v2'
import { arrangeIo, ioDemands } from './io-v2'
import { latestOfEach, placeOf } from './keyed-lines'
import type { Demand, DemandContext } from './knob'
import { lifts } from './lifts'
import { arrangeMemoryV2, memoryDemandsV2 } from './memory-v2'
import { refuseNetwork } from './network-v2'
import { pidsDemands } from './pids'
import { rdmaDemands } from './rdma'
import { unifiedDemands } from './unified-v2'

/** What resources ask of a cgroup of v2, and what of the earlier writes is taken back, in order. */
export function demandsV2(resources: LinuxResources, context: DemandContext): readonly Demand[] {
  const unified = unifiedDemands(resources.unified)
  const overruled = new Set(unified.map(placeOf))
  const typed = latestOfEach(typedDemands(resources, context)).filter(
    (demand) => !overruled.has(placeOf(demand)),
  )
  const lifted = lifts(2, context.previous, [...typed, ...unified])
  return arrangeCpuV2([...byController([...typed, ...lifted], context), ...unified], context)
}

type Arrange = (demands: readonly Demand[], context: DemandContext) => readonly Demand[]

/** That of the cpu controller is not here: what `unified` asks of it counts as well. */
const ARRANGE: ReadonlyMap<string, Arrange> = new Map([
  ['memory', arrangeMemoryV2],
  ['io', arrangeIo],
])

function byController(demands: readonly Demand[], context: DemandContext): readonly Demand[] {
  return [...new Set(demands.map(({ controller }) => controller))].flatMap((name) => {
    const own = demands.filter(({ controller }) => controller === name)
    return ARRANGE.get(name)?.(own, context) ?? own
  })
}

function typedDemands(resources: LinuxResources, context: DemandContext): readonly Demand[] {
  refuseNetwork(section('network', resources.network) ?? {}, context)
  const cpu = section('cpu', resources.cpu) ?? {}
  return [
    ...cpuDemandsV2(cpu, context),
    ...cpusetDemands(cpu),
    ...memoryDemandsV2(section('memory', resources.memory) ?? {}, context),
    ...pidsDemands(section('pids', resources.pids)),
    ...ioDemands(section('blockIO', resources.blockIO) ?? {}, context),
    ...hugetlbDemandsV2(resources.hugepageLimits, context),
    ...rdmaDemands(section('rdma', resources.rdma) ?? {}),
  ]
}
