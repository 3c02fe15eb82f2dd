import { section } from './fields'
import type { KnobGroup } from './knob-group'

export const GROUPS_V1: readonly KnobGroup[] = [
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
