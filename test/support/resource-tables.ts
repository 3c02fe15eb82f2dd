import type { LinuxResources } from '../../src/model/generated/oci'
import type { KnobWrite } from '../../src/model/resources/knob'

export interface FieldCase {
  /** The field, and what is special about its value. */
  readonly name: string
  readonly resources: LinuxResources
  /** What is written to a new cgroup, in order. */
  readonly writes: readonly KnobWrite[]
}

/** Numbers of a block device of the host, or of any where nothing is written. */
export interface TableDevice {
  readonly major: number
  readonly minor: number
}

/** Every field of `linux.resources` that a v1 kernel of today has a knob for, and what becomes of it. */
export function fieldCases(disk: TableDevice): FieldCase[] {
  const device = `${disk.major}:${disk.minor}`
  return [
    ...cases('cpu', [
      ['cpu.shares', { cpu: { shares: 512 } }, [['cpu.shares', '512']]],
      ['cpu.shares, the least', { cpu: { shares: 2 } }, [['cpu.shares', '2']]],
      ['cpu.shares, the most', { cpu: { shares: 262_144 } }, [['cpu.shares', '262144']]],
      ['cpu.shares 0, not set', { cpu: { shares: 0 } }, []],
      ['cpu.quota', { cpu: { quota: 50_000 } }, [['cpu.cfs_quota_us', '50000']]],
      ['cpu.quota 0, not set', { cpu: { quota: 0 } }, []],
      ['cpu.quota -1, no limit', { cpu: { quota: -1 } }, [['cpu.cfs_quota_us', '-1']]],
      ['cpu.period', { cpu: { period: 50_000 } }, [['cpu.cfs_period_us', '50000']]],
      ['cpu.period 0, not set', { cpu: { period: 0 } }, []],
      [
        'cpu.quota and a longer cpu.period',
        { cpu: { quota: 150_000, period: 200_000 } },
        [
          ['cpu.cfs_period_us', '200000'],
          ['cpu.cfs_quota_us', '150000'],
        ],
      ],
      [
        'cpu.quota and a shorter cpu.period',
        { cpu: { quota: 5_000, period: 10_000 } },
        [
          ['cpu.cfs_quota_us', '5000'],
          ['cpu.cfs_period_us', '10000'],
        ],
      ],
      [
        'cpu.quota and cpu.period, scaled into range',
        { cpu: { quota: 4_000_000, period: 2_000_000 } },
        [
          ['cpu.cfs_period_us', '1000000'],
          ['cpu.cfs_quota_us', '2000000'],
        ],
      ],
      [
        'cpu.burst',
        { cpu: { quota: 50_000, burst: 20_000 } },
        [
          ['cpu.cfs_quota_us', '50000'],
          ['cpu.cfs_burst_us', '20000'],
        ],
      ],
      ['cpu.idle', { cpu: { idle: 1 } }, [['cpu.idle', '1']]],
      [
        'cpu.idle with shares, which it has no use for',
        { cpu: { idle: 1, shares: 512 } },
        [['cpu.idle', '1']],
      ],
      [
        'cpu.idle 0 with shares',
        { cpu: { idle: 0, shares: 512 } },
        [
          ['cpu.idle', '0'],
          ['cpu.shares', '512'],
        ],
      ],
      ['cpu.realtimeRuntime', { cpu: { realtimeRuntime: 1_000 } }, [['cpu.rt_runtime_us', '1000']]],
      [
        'cpu.realtimeRuntime and cpu.realtimePeriod',
        { cpu: { realtimeRuntime: 1_000, realtimePeriod: 500_000, shares: 100 } },
        [
          ['cpu.rt_runtime_us', '1000'],
          ['cpu.rt_period_us', '500000'],
          ['cpu.shares', '100'],
        ],
      ],
    ]),
    ...cases('cpuset', [
      ['cpu.cpus', { cpu: { cpus: '0,0-0' } }, [['cpuset.cpus', '0']]],
      ['cpu.mems', { cpu: { mems: '0' } }, [['cpuset.mems', '0']]],
      ['cpu.cpus and cpu.mems, empty', { cpu: { cpus: '', mems: '' } }, []],
    ]),
    ...cases('memory', [
      ['memory.limit', { memory: { limit: 2 ** 28 } }, [['memory.limit_in_bytes', '268435456']]],
      [
        'memory.limit, no whole page',
        { memory: { limit: 1_048_577 } },
        [['memory.limit_in_bytes', '1048577']],
      ],
      [
        'memory.limit, the most',
        { memory: { limit: 2 ** 53 - 1 } },
        [['memory.limit_in_bytes', '9007199254740991']],
      ],
      ['memory.limit 0, not set', { memory: { limit: 0 } }, []],
      ['memory.limit -1, no limit', { memory: { limit: -1 } }, [['memory.limit_in_bytes', '-1']]],
      [
        'memory.swap',
        { memory: { limit: 2 ** 28, swap: 2 ** 29 } },
        [
          ['memory.limit_in_bytes', '268435456'],
          ['memory.memsw.limit_in_bytes', '536870912'],
        ],
      ],
      [
        'memory.swap -1, no limit',
        { memory: { limit: 2 ** 28, swap: -1 } },
        [
          ['memory.limit_in_bytes', '268435456'],
          ['memory.memsw.limit_in_bytes', '-1'],
        ],
      ],
      [
        'memory.reservation',
        { memory: { reservation: 2 ** 27 } },
        [['memory.soft_limit_in_bytes', '134217728']],
      ],
      ['memory.kernel and kernelTCP, no limit', { memory: { kernel: -1, kernelTCP: 0 } }, []],
      ['memory.swappiness', { memory: { swappiness: 10 } }, [['memory.swappiness', '10']]],
      ['memory.disableOOMKiller', { memory: { disableOOMKiller: true } }, [['memory.oom_control', '1']]],
      [
        'memory.disableOOMKiller false',
        { memory: { disableOOMKiller: false } },
        [['memory.oom_control', '0']],
      ],
      ['memory.useHierarchy', { memory: { useHierarchy: true } }, [['memory.use_hierarchy', '1']]],
      [
        'memory.checkBeforeUpdate',
        { memory: { limit: 2 ** 28, checkBeforeUpdate: true } },
        [['memory.limit_in_bytes', '268435456']],
      ],
    ]),
    ...cases('pids', [
      ['pids.limit', { pids: { limit: 100 } }, [['pids.max', '100']]],
      ['pids.limit, the most', { pids: { limit: 4_194_304 } }, [['pids.max', '4194304']]],
      ['pids.limit 0, no task may fork', { pids: { limit: 0 } }, [['pids.max', '0']]],
      ['pids.limit -1, no limit', { pids: { limit: -1 } }, [['pids.max', 'max']]],
    ]),
    ...cases('blkio', [
      ['blockIO.weight', { blockIO: { weight: 300 } }, [['blkio.bfq.weight', '300']]],
      ['blockIO.weight 0, not set', { blockIO: { weight: 0 } }, []],
      [
        'blockIO.throttleReadBpsDevice',
        { blockIO: { throttleReadBpsDevice: [{ ...disk, rate: 1_048_576 }] } },
        [['blkio.throttle.read_bps_device', `${device} 1048576`]],
      ],
      [
        'blockIO.throttleWriteBpsDevice, the most',
        { blockIO: { throttleWriteBpsDevice: [{ ...disk, rate: 2 ** 53 - 1 }] } },
        [['blkio.throttle.write_bps_device', `${device} 9007199254740991`]],
      ],
      [
        'blockIO.throttleReadIOPSDevice, the most',
        { blockIO: { throttleReadIOPSDevice: [{ ...disk, rate: 2 ** 32 - 2 }] } },
        [['blkio.throttle.read_iops_device', `${device} 4294967294`]],
      ],
      [
        'blockIO.throttleWriteIOPSDevice, twice for one device',
        {
          blockIO: {
            throttleWriteIOPSDevice: [
              { ...disk, rate: 1 },
              { ...disk, rate: 100 },
            ],
          },
        },
        [['blkio.throttle.write_iops_device', `${device} 100`]],
      ],
      [
        'blockIO.throttleReadBpsDevice 0, no limit',
        { blockIO: { throttleReadBpsDevice: [{ ...disk, rate: 0 }] } },
        [['blkio.throttle.read_bps_device', `${device} 0`]],
      ],
    ]),
    ...cases('hugetlb', [
      [
        'hugepageLimits',
        { hugepageLimits: [{ pageSize: '2MB', limit: 3_000_000 }] },
        [['hugetlb.2MB.limit_in_bytes', '3000000']],
      ],
    ]),
    ...cases('net_cls', [
      ['network.classID', { network: { classID: 1_048_577 } }, [['net_cls.classid', '1048577']]],
    ]),
    ...cases('net_prio', [
      [
        'network.priorities',
        { network: { priorities: [{ name: 'lo', priority: 5 }] } },
        [['net_prio.ifpriomap', 'lo 5']],
      ],
    ]),
    ...cases('rdma', [
      [
        'rdma',
        { rdma: { mlx5_0: { hcaHandles: 2, hcaObjects: 2000 }, mlx5_1: { hcaObjects: 0 } } },
        [
          ['rdma.max', 'mlx5_0 hca_handle=2 hca_object=2000'],
          ['rdma.max', 'mlx5_1 hca_object=0'],
        ],
      ],
    ]),
  ]
}

/** Weights of single devices take a device that BFQ schedules. */
export function bfqCases(disk: TableDevice): FieldCase[] {
  const device = `${disk.major}:${disk.minor}`
  return cases('blkio', [
    [
      'blockIO.weightDevice',
      { blockIO: { weightDevice: [{ ...disk, weight: 300 }] } },
      [['blkio.bfq.weight_device', `${device} 300`]],
    ],
    [
      'blockIO.weightDevice with blockIO.weight',
      { blockIO: { weightDevice: [{ ...disk, weight: 1 }], weight: 200 } },
      [
        ['blkio.bfq.weight', '200'],
        ['blkio.bfq.weight_device', `${device} 1`],
      ],
    ],
  ])
}

type Row = readonly [name: string, resources: LinuxResources, writes: readonly (readonly [string, string])[]]

function cases(controller: string, rows: readonly Row[]): FieldCase[] {
  return rows.map(([name, resources, writes]) => ({
    name,
    resources,
    writes: writes.map(([file, value]) => ({ controller, file, value })),
  }))
}

/** What is refused before anything is written: resources, code, and what the message names. */
export const REFUSALS: readonly (readonly [resources: LinuxResources, code: string, message: RegExp])[] = [
  [{ cpu: { shares: 1 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.shares 1 is not from 2 to 262144/],
  [{ cpu: { shares: 262_145 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.shares 262145/],
  [{ cpu: { shares: -5 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.shares -5/],
  [{ cpu: { shares: 2.5 } }, 'ERR_VMCG_INVALID_ARGUMENT', /cpu\.shares 2\.5 is no integer/],
  [{ cpu: { shares: 2 ** 53 } }, 'ERR_VMCG_INVALID_ARGUMENT', /no integer below 2\^53/],
  [{ cpu: { idle: 2 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.idle 2 is not from 0 to 1/],
  [{ cpu: { quota: 999 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.quota 999 .* without a period/],
  [
    { cpu: { period: 2_000_000 } },
    'ERR_VMCG_OUT_OF_RANGE',
    /cpu\.period 2000000 is not from 1000 to 1000000/,
  ],
  [{ cpu: { quota: -1, period: 999 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.period 999/],
  [{ cpu: { period: -1 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.period -1/],
  [{ cpu: { quota: 500, period: 1_000_000 } }, 'ERR_VMCG_OUT_OF_RANGE', /500 us per 1000000 us/],
  [
    { cpu: { quota: 50_000, burst: 50_001 } },
    'ERR_VMCG_OUT_OF_RANGE',
    /cpu\.burst 50001 .* quota of 50000 us/,
  ],
  [{ cpu: { burst: -1 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.burst -1/],
  [{ cpu: { quota: 2 ** 44 - 1, burst: 1 } }, 'ERR_VMCG_OUT_OF_RANGE', /add up to more than/],
  [
    { cpu: { realtimeRuntime: 1_000_001 } },
    'ERR_VMCG_OUT_OF_RANGE',
    /cpu\.realtimeRuntime .* period of only 1000000/,
  ],
  [{ cpu: { realtimeRuntime: 5, realtimePeriod: 4 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.realtimeRuntime/],
  [{ cpu: { realtimeRuntime: -2 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.realtimeRuntime -2/],
  [{ cpu: { cpus: '5-1' } }, 'ERR_VMCG_INVALID_ARGUMENT', /cpu\.cpus "5-1" .*backwards/],
  [{ cpu: { cpus: '1-2-3' } }, 'ERR_VMCG_INVALID_ARGUMENT', /cpu\.cpus "1-2-3"/],
  [{ cpu: { cpus: '0-4294967295' } }, 'ERR_VMCG_INVALID_ARGUMENT', /cpu\.cpus "0-4294967295"/],
  [{ cpu: { mems: '0, 1' } }, 'ERR_VMCG_INVALID_ARGUMENT', /cpu\.mems "0, 1"/],
  [{ memory: { limit: -2 } }, 'ERR_VMCG_OUT_OF_RANGE', /memory\.limit -2/],
  [
    { memory: { limit: 2 ** 20, swap: 2 ** 19 } },
    'ERR_VMCG_OUT_OF_RANGE',
    /memory\.swap .* below the memory limit of 1048576/,
  ],
  [{ memory: { swap: 2 ** 20 } }, 'ERR_VMCG_INVALID_ARGUMENT', /memory\.swap .* memory alone has none/],
  [{ memory: { limit: -1, swap: 2 ** 20 } }, 'ERR_VMCG_INVALID_ARGUMENT', /memory\.swap/],
  [{ memory: { swappiness: 101 } }, 'ERR_VMCG_OUT_OF_RANGE', /memory\.swappiness 101/],
  [{ memory: { kernel: 4096 } }, 'ERR_VMCG_UNSUPPORTED', /memory\.kernel 4096 .* ignores it/],
  [{ memory: { kernelTCP: 4096 } }, 'ERR_VMCG_UNSUPPORTED', /memory\.kernelTCP 4096 .* deprecated/],
  [{ memory: { useHierarchy: false } }, 'ERR_VMCG_UNSUPPORTED', /memory\.useHierarchy false .* 5\.11/],
  [{ pids: { limit: -2 } }, 'ERR_VMCG_OUT_OF_RANGE', /pids\.limit -2/],
  [{ pids: { limit: 4_194_305 } }, 'ERR_VMCG_OUT_OF_RANGE', /pids\.limit 4194305/],
  [{ blockIO: { weight: 1001 } }, 'ERR_VMCG_OUT_OF_RANGE', /blockIO\.weight 1001 is not from 1 to 1000/],
  [{ blockIO: { leafWeight: 9 } }, 'ERR_VMCG_OUT_OF_RANGE', /blockIO\.leafWeight 9 is not from 10 to 1000/],
  [
    { blockIO: { weightDevice: [{ major: 8, minor: 0, weight: 1001 }] } },
    'ERR_VMCG_OUT_OF_RANGE',
    /blockIO\.weightDevice\[0\]\.weight 1001/,
  ],
  [
    { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: -1 }] } },
    'ERR_VMCG_OUT_OF_RANGE',
    /blockIO\.throttleReadBpsDevice\[0\]\.rate -1/,
  ],
  [
    { blockIO: { throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 2 ** 32 }] } },
    'ERR_VMCG_OUT_OF_RANGE',
    /throttleReadIOPSDevice\[0\]\.rate 4294967296/,
  ],
  [
    { blockIO: { throttleReadBpsDevice: [{ major: 4096, minor: 0, rate: 1 }] } },
    'ERR_VMCG_OUT_OF_RANGE',
    /\.major 4096/,
  ],
  [
    { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 2 ** 20, rate: 1 }] } },
    'ERR_VMCG_OUT_OF_RANGE',
    /\.minor 1048576/,
  ],
  ...['../../x', '2048KB', '3MB', '0MB', '2mb', '2MB\n', '1TB', ''].map(
    (pageSize) =>
      [
        { hugepageLimits: [{ pageSize, limit: 0 }] },
        'ERR_VMCG_INVALID_ARGUMENT',
        /hugepageLimits\[0\]\.pageSize .* no page size/,
      ] as const,
  ),
  [
    { hugepageLimits: [{ pageSize: '2MB', limit: -1 }] },
    'ERR_VMCG_OUT_OF_RANGE',
    /hugepageLimits\[0\]\.limit -1/,
  ],
  [{ network: { classID: 2 ** 32 } }, 'ERR_VMCG_OUT_OF_RANGE', /network\.classID 4294967296/],
  ...['eth 0', 'a/b', 'a:b', '..', '', 'sixteen-letters-', 'a\nb'].map(
    (name) =>
      [
        { network: { priorities: [{ name, priority: 1 }] } },
        'ERR_VMCG_INVALID_ARGUMENT',
        /network\.priorities\[0\]\.name .* no name/,
      ] as const,
  ),
  ...['mlx 5', 'a/b', '..', ''].map(
    (name) =>
      [
        { rdma: { [name]: { hcaHandles: 1 } } },
        'ERR_VMCG_INVALID_ARGUMENT',
        /no name of an RDMA device/,
      ] as const,
  ),
  [
    { rdma: { mlx5_0: { hcaHandles: 2 ** 31 - 1 } } },
    'ERR_VMCG_OUT_OF_RANGE',
    /rdma\.mlx5_0\.hcaHandles 2147483647/,
  ],
  [
    { unified: { 'memory.high': '1' } },
    'ERR_VMCG_UNSUPPORTED',
    /unified "memory\.high" is a file of cgroup v2/,
  ],
]
