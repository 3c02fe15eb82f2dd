import type { LinuxResources } from '../generated/oci'
import { arrangeBlkio, blkioDemands } from './blkio-v1'
import { arrangeCpu, cpuDemands } from './cpu-v1'
import { cpusetDemands } from './cpuset-v1'
import { refuse, section } from './fields'
import { hugetlbDemands } from './hugetlb-v1'
import { placeOf } from './keyed-lines'
import { type Demand, KnobTexts, type KnobWrite, type ObservedKnobs } from './knob'
import { arrangeMemory, memoryDemands } from './memory-v1'
import { netClsDemands, netPrioDemands } from './network-v1'
import { isPending } from './pending'
import { pidsDemands } from './pids-v1'
import { rdmaDemands } from './rdma-v1'
import { unlimitedValue } from './unlimited'
import { requireV1 } from './version'

export interface ResourceWritesOptions {
  /** Of the hierarchies that the cgroup is in; only 1 for now. */
  readonly version: 1 | 2
  /**
   * What the cgroup's knobs say now; read those that `knobsOf` names, and leave out or set to undefined those that do
   * not exist. Without it the writes are those for a new cgroup.
   */
  readonly observed?: ObservedKnobs | undefined
  /**
   * What earlier calls returned and was written, the latest last. Of these knobs, those that `resources` asks nothing of
   * any more go back to {@link unlimitedValue}; what was never written is left alone.
   */
  readonly previous?: readonly KnobWrite[] | undefined
  /** Bytes of a page of memory, `getconf PAGESIZE`; default 4096. */
  readonly pageSize?: number | undefined
}

/** One controller: what is asked of it, and how it is ordered where the kernel cares. */
interface Controller {
  readonly name: string
  readonly demands: (resources: LinuxResources, now: KnobTexts) => Demand[]
  readonly arrange?: (demands: readonly Demand[], now: KnobTexts, pageSize: number | undefined) => Demand[]
}

const CONTROLLERS: readonly Controller[] = [
  { name: 'cpu', demands: ({ cpu }) => cpuDemands(section('cpu', cpu) ?? {}), arrange: arrangeCpu },
  { name: 'cpuset', demands: ({ cpu }) => cpusetDemands(section('cpu', cpu) ?? {}) },
  {
    name: 'memory',
    demands: ({ memory }, now) => memoryDemands(section('memory', memory) ?? {}, now),
    arrange: arrangeMemory,
  },
  { name: 'pids', demands: ({ pids }) => pidsDemands(section('pids', pids)) },
  {
    name: 'blkio',
    demands: ({ blockIO }, now) => blkioDemands(section('blockIO', blockIO) ?? {}, now),
    arrange: arrangeBlkio,
  },
  { name: 'hugetlb', demands: ({ hugepageLimits }, now) => hugetlbDemands(hugepageLimits ?? [], now) },
  { name: 'net_cls', demands: ({ network }) => netClsDemands(section('network', network) ?? {}) },
  { name: 'net_prio', demands: ({ network }) => netPrioDemands(section('network', network) ?? {}) },
  { name: 'rdma', demands: ({ rdma }) => rdmaDemands(section('rdma', rdma) ?? {}) },
]

/**
 * What to write to the knobs of a cgroup so that it has these resources, in the order to write them: no write on the
 * way is one that the kernel refuses for what another knob says at that moment. Knobs that already say so are left out,
 * so that a second call with what the kernel says after the first returns nothing.
 *
 * A field that is absent asks for nothing; so does a 0 in shares, quota, periods, weights and memory limits, as in runc.
 * -1 is "no limit". `devices` are not written here. `cpu.rt_*` must be written before anything joins the cgroup.
 *
 * @param resources OCI `linux.resources`. Bytes, microseconds, and per second.
 * @param options Version, what the knobs say now, and what was written before.
 * @returns One entry per `write()`.
 * @throws Before anything is written, with field, value and reason:
 *   `ERR_VMCG_OUT_OF_RANGE` for numbers that the kernel would refuse or clamp, alone or together with another;
 *   `ERR_VMCG_INVALID_ARGUMENT` for wrong types, numbers that are no integers or beyond 2^53, malformed lists and names;
 *   `ERR_VMCG_UNSUPPORTED` for version 2, for `unified` and kernel memory on v1, and for knobs that the kernel lacks.
 *
 * Source: OCI runtime-spec config-linux.md; kernel, Documentation/admin-guide/cgroup-v1.
 */
export function resourceWrites(
  resources: LinuxResources,
  { version, observed, previous = [], pageSize }: ResourceWritesOptions,
): readonly KnobWrite[] {
  requireV1(version)
  refuseUnified(resources.unified)
  const now = new KnobTexts(observed)
  return CONTROLLERS.flatMap(({ name, demands, arrange }) => {
    const asked = demands(resources, now)
    const written = previous.filter(({ controller }) => controller === name)
    const all = [...asked, ...lifts(written, asked)]
    const arranged = arrange === undefined ? all : arrange(all, now, pageSize)
    return arranged.filter((demand) => isPending(demand, now, pageSize))
  }).map(({ controller, file, value }) => ({ controller, file, value }))
}

function lifts(previous: readonly KnobWrite[], asked: readonly Demand[]): Demand[] {
  const kept = new Set(asked.map(placeOf))
  const lifted = new Map(previous.map((write) => [placeOf(write), write]))
  return [...lifted].flatMap(([place, { controller, file, value: written }]) => {
    const value = unlimitedValue(file, written)
    if (value === undefined || value === written || kept.has(place)) return []
    return [{ controller, file, value, field: undefined }]
  })
}

function refuseUnified(unified: LinuxResources['unified']): void {
  const [key] = Object.keys(section('unified', unified) ?? {})
  if (key === undefined) return
  const why = 'is a file of cgroup v2, and these hierarchies are v1'
  throw refuse('ERR_VMCG_UNSUPPORTED', 'unified', key, why, 'use the fields of cpu, memory, ... instead')
}
