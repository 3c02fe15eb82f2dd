import type { LinuxResources } from '../generated/oci'
import { entries, section } from './fields'
import { checkPageSize } from './huge-page-size'
import { hugetlbKnobs } from './hugetlb-v1'
import type { Knob, KnobWrite } from './knob'
import { requireV1 } from './version'

/** Knobs of one controller that the kernel checks against each other, or that stand in for each other. */
interface KnobGroup {
  readonly controller: string
  readonly files: readonly string[]
  /** The fields that are written to one of them. */
  readonly fields: (resources: LinuxResources) => readonly unknown[]
}

const GROUPS: readonly KnobGroup[] = [
  {
    controller: 'cpu',
    files: ['cpu.shares', 'cpu.idle'],
    fields: ({ cpu }) => [cpu?.shares, cpu?.idle],
  },
  {
    controller: 'cpu',
    files: ['cpu.cfs_quota_us', 'cpu.cfs_period_us', 'cpu.cfs_burst_us'],
    fields: ({ cpu }) => [cpu?.quota, cpu?.period, cpu?.burst],
  },
  {
    controller: 'cpu',
    files: ['cpu.rt_runtime_us', 'cpu.rt_period_us'],
    fields: ({ cpu }) => [cpu?.realtimeRuntime, cpu?.realtimePeriod],
  },
  { controller: 'cpuset', files: ['cpuset.cpus'], fields: ({ cpu }) => [cpu?.cpus] },
  { controller: 'cpuset', files: ['cpuset.mems'], fields: ({ cpu }) => [cpu?.mems] },
  {
    controller: 'memory',
    files: ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'],
    fields: ({ memory }) => [memory?.limit, memory?.swap],
  },
  {
    controller: 'memory',
    files: ['memory.usage_in_bytes', 'memory.memsw.usage_in_bytes'],
    fields: ({ memory }) => [memory?.checkBeforeUpdate],
  },
  {
    controller: 'memory',
    files: ['memory.soft_limit_in_bytes'],
    fields: ({ memory }) => [memory?.reservation],
  },
  { controller: 'memory', files: ['memory.swappiness'], fields: ({ memory }) => [memory?.swappiness] },
  { controller: 'memory', files: ['memory.oom_control'], fields: ({ memory }) => [memory?.disableOOMKiller] },
  { controller: 'memory', files: ['memory.use_hierarchy'], fields: ({ memory }) => [memory?.useHierarchy] },
  { controller: 'pids', files: ['pids.max'], fields: ({ pids }) => [pids?.limit] },
  {
    controller: 'blkio',
    files: ['blkio.weight', 'blkio.weight_device', 'blkio.bfq.weight', 'blkio.bfq.weight_device'],
    fields: ({ blockIO }) => [blockIO?.weight, blockIO?.weightDevice],
  },
  {
    controller: 'blkio',
    files: ['blkio.leaf_weight', 'blkio.leaf_weight_device'],
    fields: ({ blockIO }) => [blockIO?.leafWeight, blockIO?.weightDevice],
  },
  {
    controller: 'blkio',
    files: ['blkio.throttle.read_bps_device'],
    fields: ({ blockIO }) => [blockIO?.throttleReadBpsDevice],
  },
  {
    controller: 'blkio',
    files: ['blkio.throttle.write_bps_device'],
    fields: ({ blockIO }) => [blockIO?.throttleWriteBpsDevice],
  },
  {
    controller: 'blkio',
    files: ['blkio.throttle.read_iops_device'],
    fields: ({ blockIO }) => [blockIO?.throttleReadIOPSDevice],
  },
  {
    controller: 'blkio',
    files: ['blkio.throttle.write_iops_device'],
    fields: ({ blockIO }) => [blockIO?.throttleWriteIOPSDevice],
  },
  { controller: 'net_cls', files: ['net_cls.classid'], fields: ({ network }) => [network?.classID] },
  { controller: 'net_prio', files: ['net_prio.ifpriomap'], fields: ({ network }) => [network?.priorities] },
  {
    controller: 'rdma',
    files: ['rdma.max'],
    fields: ({ rdma }) => Object.keys(section('rdma', rdma) ?? {}),
  },
]

/**
 * Every knob to read before `resourceWrites` can be told what a cgroup has now: those that would be written, and those
 * that the kernel checks them against.
 *
 * @param resources As for `resourceWrites`.
 * @param version Of the hierarchies; only 1 for now.
 * @param previous As for `resourceWrites`: what was written before and may have to be lifted.
 * @returns Controller and file, each once. Not all of them exist on every kernel.
 * @throws `ERR_VMCG_UNSUPPORTED` for version 2, `ERR_VMCG_INVALID_ARGUMENT` for page sizes and types that are none.
 */
export function knobsOf(
  resources: LinuxResources,
  version: 1 | 2,
  previous: readonly KnobWrite[] = [],
): readonly Knob[] {
  requireV1(version)
  const lifted = new Set(previous.map(({ file }) => file))
  const grouped = GROUPS.filter(
    ({ fields, files }) =>
      fields(resources).some((field) => field !== undefined) || files.some((file) => lifted.has(file)),
  ).flatMap(({ controller, files }) => files.map((file) => ({ controller, file })))
  const hugePages = entries('hugepageLimits', resources.hugepageLimits).flatMap(([name, { pageSize }]) => {
    const { used, reserved } = hugetlbKnobs(checkPageSize(`${name}.pageSize`, pageSize))
    return [used, reserved].map((file) => ({ controller: 'hugetlb', file }))
  })
  const written = previous.map(({ controller, file }) => ({ controller, file }))
  return [...new Map([...grouped, ...hugePages, ...written].map((knob) => [knob.file, knob])).values()]
}
