import { section } from './fields'
import type { KnobGroup } from './knob-group'

export const GROUPS_V2: readonly KnobGroup[] = [
  {
    controller: 'cpu',
    files: ['cpu.weight', 'cpu.idle'],
    fields: ({ cpu }) => [cpu?.shares, cpu?.idle],
  },
  {
    controller: 'cpu',
    files: ['cpu.max', 'cpu.max.burst'],
    fields: ({ cpu }) => [cpu?.quota, cpu?.period, cpu?.burst],
  },
  { controller: 'cpuset', files: ['cpuset.cpus'], fields: ({ cpu }) => [cpu?.cpus] },
  { controller: 'cpuset', files: ['cpuset.mems'], fields: ({ cpu }) => [cpu?.mems] },
  {
    controller: 'memory',
    files: ['memory.max', 'memory.swap.max'],
    fields: ({ memory }) => [memory?.limit, memory?.swap],
  },
  {
    controller: 'memory',
    files: ['memory.current', 'memory.swap.current'],
    fields: ({ memory }) => [memory?.checkBeforeUpdate],
  },
  { controller: 'memory', files: ['memory.low'], fields: ({ memory }) => [memory?.reservation] },
  { controller: 'pids', files: ['pids.max'], fields: ({ pids }) => [pids?.limit] },
  {
    controller: 'io',
    files: ['io.weight', 'io.bfq.weight'],
    fields: ({ blockIO }) => [blockIO?.weight, blockIO?.weightDevice],
  },
  {
    controller: 'io',
    files: ['io.max'],
    fields: ({ blockIO }) => [
      blockIO?.throttleReadBpsDevice,
      blockIO?.throttleWriteBpsDevice,
      blockIO?.throttleReadIOPSDevice,
      blockIO?.throttleWriteIOPSDevice,
    ],
  },
  {
    controller: 'rdma',
    files: ['rdma.max'],
    fields: ({ rdma }) => Object.keys(section('rdma', rdma) ?? {}),
  },
]
