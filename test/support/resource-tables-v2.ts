import type { LinuxResources } from '../../src/model/generated/oci'
import type { FieldCase, TableDevice } from './resource-tables'

/** Every field of `linux.resources` that cgroup v2 has a knob for, and what becomes of it in a new cgroup. */
export function fieldCasesV2(disk: TableDevice): FieldCase[] {
  const device = `${disk.major}:${disk.minor}`
  return [
    ...cases('cpu', [
      ['cpu.shares, the default', { cpu: { shares: 1024 } }, [['cpu.weight', '100']]],
      ['cpu.shares', { cpu: { shares: 512 } }, [['cpu.weight', '59']]],
      ['cpu.shares, the least', { cpu: { shares: 2 } }, [['cpu.weight', '1']]],
      ['cpu.shares, the most', { cpu: { shares: 262_144 } }, [['cpu.weight', '10000']]],
      ['cpu.shares 0, not set', { cpu: { shares: 0 } }, []],
      ['cpu.quota', { cpu: { quota: 50_000 } }, [['cpu.max', '50000 100000']]],
      ['cpu.quota 0, not set', { cpu: { quota: 0 } }, []],
      ['cpu.quota -1, no limit', { cpu: { quota: -1 } }, [['cpu.max', 'max 100000']]],
      ['cpu.period', { cpu: { period: 50_000 } }, [['cpu.max', 'max 50000']]],
      ['cpu.period 0, not set', { cpu: { period: 0 } }, []],
      [
        'cpu.quota and cpu.period, in one write',
        { cpu: { quota: 5_000, period: 10_000 } },
        [['cpu.max', '5000 10000']],
      ],
      [
        'cpu.quota and cpu.period, scaled into range',
        { cpu: { quota: 4_000_000, period: 2_000_000 } },
        [['cpu.max', '2000000 1000000']],
      ],
      [
        'cpu.burst',
        { cpu: { quota: 50_000, burst: 20_000 } },
        [
          ['cpu.max', '50000 100000'],
          ['cpu.max.burst', '20000'],
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
          ['cpu.weight', '59'],
        ],
      ],
      ['cpu.realtimeRuntime 0, none', { cpu: { realtimeRuntime: 0, realtimePeriod: 0 } }, []],
    ]),
    ...cases('cpuset', [
      ['cpu.cpus', { cpu: { cpus: '0,0-0' } }, [['cpuset.cpus', '0']]],
      ['cpu.mems', { cpu: { mems: '0' } }, [['cpuset.mems', '0']]],
      ['cpu.cpus and cpu.mems, empty', { cpu: { cpus: '', mems: '' } }, []],
    ]),
    ...cases('memory', [
      ['memory.limit', { memory: { limit: 2 ** 28 } }, [['memory.max', '268435456']]],
      ['memory.limit, no whole page', { memory: { limit: 1_048_577 } }, [['memory.max', '1048577']]],
      ['memory.limit, the most', { memory: { limit: 2 ** 53 - 1 } }, [['memory.max', '9007199254740991']]],
      ['memory.limit 0, not set', { memory: { limit: 0 } }, []],
      [
        'memory.limit -1, no limit of swap either',
        { memory: { limit: -1 } },
        [
          ['memory.max', 'max'],
          ['memory.swap.max', 'max'],
        ],
      ],
      [
        'memory.swap, less memory.limit',
        { memory: { limit: 2 ** 28, swap: 2 ** 28 + 2 ** 27 } },
        [
          ['memory.max', '268435456'],
          ['memory.swap.max', '134217728'],
        ],
      ],
      [
        'memory.swap as memory.limit, no swap',
        { memory: { limit: 2 ** 28, swap: 2 ** 28 } },
        [
          ['memory.max', '268435456'],
          ['memory.swap.max', '0'],
        ],
      ],
      [
        'memory.swap -1, no limit',
        { memory: { limit: 2 ** 28, swap: -1 } },
        [
          ['memory.max', '268435456'],
          ['memory.swap.max', 'max'],
        ],
      ],
      [
        'memory.swap without a limit of memory, that of swap',
        { memory: { limit: -1, swap: 2 ** 20 } },
        [
          ['memory.max', 'max'],
          ['memory.swap.max', '1048576'],
        ],
      ],
      ['memory.swap 0, not set', { memory: { limit: 2 ** 28, swap: 0 } }, [['memory.max', '268435456']]],
      ['memory.reservation', { memory: { reservation: 2 ** 27 } }, [['memory.low', '134217728']]],
      ['memory.reservation -1, all', { memory: { reservation: -1 } }, [['memory.low', 'max']]],
      ['memory.kernel and kernelTCP, no limit', { memory: { kernel: -1, kernelTCP: 0 } }, []],
      [
        'memory.disableOOMKiller false and useHierarchy, as v2 is',
        { memory: { disableOOMKiller: false, useHierarchy: true } },
        [],
      ],
      [
        'memory.checkBeforeUpdate',
        { memory: { limit: 2 ** 28, checkBeforeUpdate: true } },
        [['memory.max', '268435456']],
      ],
    ]),
    ...cases('pids', [
      ['pids.limit', { pids: { limit: 100 } }, [['pids.max', '100']]],
      ['pids.limit, the most', { pids: { limit: 4_194_304 } }, [['pids.max', '4194304']]],
      ['pids.limit 0, no task may fork', { pids: { limit: 0 } }, [['pids.max', '0']]],
      ['pids.limit -1, no limit', { pids: { limit: -1 } }, [['pids.max', 'max']]],
    ]),
    ...cases('io', [
      ['blockIO.weight 0, not set', { blockIO: { weight: 0, leafWeight: 0 } }, []],
      [
        'blockIO throttles of one device, in one write',
        {
          blockIO: {
            throttleReadBpsDevice: [{ ...disk, rate: 1_048_576 }],
            throttleWriteBpsDevice: [{ ...disk, rate: 2 ** 53 - 1 }],
            throttleReadIOPSDevice: [{ ...disk, rate: 2 ** 32 - 2 }],
            throttleWriteIOPSDevice: [{ ...disk, rate: 2 }],
          },
        },
        [['io.max', `${device} rbps=1048576 wbps=9007199254740991 riops=4294967294 wiops=2`]],
      ],
      [
        'blockIO.throttleWriteIOPSDevice, twice for one device',
        {
          blockIO: {
            throttleWriteIOPSDevice: [
              { ...disk, rate: 7 },
              { ...disk, rate: 100 },
            ],
          },
        },
        [['io.max', `${device} wiops=100`]],
      ],
      [
        'blockIO.throttleReadBpsDevice 0, no limit',
        { blockIO: { throttleReadBpsDevice: [{ ...disk, rate: 0 }] } },
        [['io.max', `${device} rbps=max`]],
      ],
    ]),
    ...cases('hugetlb', [
      [
        'hugepageLimits, in use and reserved',
        { hugepageLimits: [{ pageSize: '2MB', limit: 3_000_000 }] },
        [
          ['hugetlb.2MB.max', '3000000'],
          ['hugetlb.2MB.rsvd.max', '3000000'],
        ],
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

/** What `unified` makes of the files that kernels of today have. */
export function unifiedCases(disk: TableDevice): FieldCase[] {
  const device = `${disk.major}:${disk.minor}`
  return [
    ...cases('cpu', [
      ['cpu.weight', { unified: { 'cpu.weight': '200' } }, [['cpu.weight', '200']]],
      ['cpu.weight.nice', { unified: { 'cpu.weight.nice': '-5' } }, [['cpu.weight.nice', '-5']]],
      ['cpu.max, the quota alone', { unified: { 'cpu.max': '50000' } }, [['cpu.max', '50000']]],
      ['cpu.max', { unified: { 'cpu.max': '20000 50000\n' } }, [['cpu.max', '20000 50000']]],
      [
        'cpu.max in place of cpu.quota, and a burst after it',
        { cpu: { quota: 10_000, burst: 20_000 }, unified: { 'cpu.max': '50000 100000' } },
        [
          ['cpu.max', '50000 100000'],
          ['cpu.max.burst', '20000'],
        ],
      ],
      [
        'cpu.idle in unified, which shares are of no use to either',
        { cpu: { shares: 512 }, unified: { 'cpu.idle': '1' } },
        [['cpu.idle', '1']],
      ],
      [
        'cpu.weight in place of cpu.shares',
        { cpu: { shares: 512 }, unified: { 'cpu.weight': '7' } },
        [['cpu.weight', '7']],
      ],
    ]),
    ...cases('cpuset', [
      ['cpuset.cpus', { unified: { 'cpuset.cpus': '0,0-0' } }, [['cpuset.cpus', '0,0-0']]],
      ['cpuset.mems, empty', { unified: { 'cpuset.mems': '' } }, [['cpuset.mems', '\n']]],
    ]),
    ...cases('memory', [
      [
        'several, in the order given',
        { unified: { 'memory.swap.high': 'max', 'memory.high': '200M', 'memory.min': '8192' } },
        [
          ['memory.swap.high', 'max'],
          ['memory.high', '200M'],
          ['memory.min', '8192'],
        ],
      ],
      ['memory.high, no whole page', { unified: { 'memory.high': '1048577' } }, [['memory.high', '1048577']]],
      ['memory.oom.group', { unified: { 'memory.oom.group': '1' } }, [['memory.oom.group', '1']]],
    ]),
    ...cases('pids', [['pids.max', { unified: { 'pids.max': '12' } }, [['pids.max', '12']]]]),
    ...cases('io', [
      [
        'io.max, line by line',
        { unified: { 'io.max': `${device} rbps=1048576 wiops=120\n${device} riops=max\n` } },
        [['io.max', `${device} rbps=1048576 wiops=120 riops=max`]],
      ],
    ]),
    ...cases('cgroup', [
      [
        'cgroup.max.descendants',
        { unified: { 'cgroup.max.descendants': '10' } },
        [['cgroup.max.descendants', '10']],
      ],
    ]),
  ]
}

/** Weights, where the kernel has the knob of iocost. */
export function ioWeightCases(disk: TableDevice): FieldCase[] {
  const device = `${disk.major}:${disk.minor}`
  return cases('io', [
    ['blockIO.weight', { blockIO: { weight: 500 } }, [['io.weight', 'default 4950']]],
    [
      'blockIO.weightDevice',
      { blockIO: { weight: 10, weightDevice: [{ ...disk, weight: 1000 }] } },
      [
        ['io.weight', 'default 1'],
        ['io.weight', `${device} 10000`],
      ],
    ],
    ['io.weight, unified', { unified: { 'io.weight': '300' } }, [['io.weight', 'default 300']]],
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

type RefusalRow = readonly [resources: LinuxResources, code: string, message: RegExp]

/** What cgroup v2 has no knob for. */
export const INEXPRESSIBLE: readonly (readonly [resources: LinuxResources, message: RegExp])[] = [
  [{ cpu: { realtimeRuntime: 5 } }, /cpu\.realtimeRuntime 5 cannot be set on cgroup v2/],
  [{ cpu: { realtimePeriod: 1_000 } }, /cpu\.realtimePeriod 1000 cannot/],
  [{ memory: { swappiness: 10 } }, /memory\.swappiness 10 cannot .* whole host/],
  [{ memory: { kernel: 4096 } }, /memory\.kernel 4096 cannot .* counted with all other/],
  [{ memory: { kernelTCP: 4096 } }, /memory\.kernelTCP 4096 cannot/],
  [{ memory: { disableOOMKiller: true } }, /memory\.disableOOMKiller true cannot/],
  [{ memory: { useHierarchy: false } }, /memory\.useHierarchy false cannot/],
  [{ blockIO: { leafWeight: 300 } }, /blockIO\.leafWeight 300 cannot/],
  [
    { blockIO: { weightDevice: [{ major: 8, minor: 0, leafWeight: 300 }] } },
    /blockIO\.weightDevice\[0\]\.leafWeight 300 cannot/,
  ],
  [{ network: { classID: 1 } }, /network\.classID 1 cannot/],
  [{ network: { priorities: [{ name: 'lo', priority: 1 }] } }, /network\.priorities\[0\] "lo" cannot/],
]

/** What is refused before anything is written, where v2 differs from v1. */
export const REFUSALS_V2: readonly RefusalRow[] = [
  [{ cpu: { shares: 1 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.shares 1 is not from 2 to 262144/],
  [{ cpu: { quota: 999 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.quota 999/],
  [{ cpu: { realtimeRuntime: -2 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.realtimeRuntime -2/],
  [{ cpu: { quota: 50_000, burst: 50_001 } }, 'ERR_VMCG_OUT_OF_RANGE', /cpu\.burst 50001 .* quota of 50000/],
  [
    { cpu: { burst: 50_001 }, unified: { 'cpu.max': '50000' } },
    'ERR_VMCG_OUT_OF_RANGE',
    /cpu\.burst 50001 .* quota of 50000/,
  ],
  [{ memory: { swap: 2 ** 20 } }, 'ERR_VMCG_INVALID_ARGUMENT', /memory\.swap 1048576 .* none of memory/],
  [
    { memory: { limit: 2 ** 20, swap: 2 ** 19 } },
    'ERR_VMCG_OUT_OF_RANGE',
    /below the memory limit of 1048576/,
  ],
  [{ memory: { swappiness: 101 } }, 'ERR_VMCG_OUT_OF_RANGE', /memory\.swappiness 101/],
  [{ blockIO: { weight: 1001 } }, 'ERR_VMCG_OUT_OF_RANGE', /blockIO\.weight 1001 is not from \d+ to 1000/],
  [
    { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1 }] } },
    'ERR_VMCG_OUT_OF_RANGE',
    /throttleReadBpsDevice\[0\]\.rate 1 is less than the 2/,
  ],
  [
    { blockIO: { throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 2 ** 32 }] } },
    'ERR_VMCG_OUT_OF_RANGE',
    /throttleWriteIOPSDevice\[0\]\.rate 4294967296/,
  ],
  [{ hugepageLimits: [{ pageSize: '../x', limit: 0 }] }, 'ERR_VMCG_INVALID_ARGUMENT', /no page size/],
  ...['../memory.max', 'a/b.c', '/etc/x.y'].map((file) => refusedFile(file, /leads out of the cgroup/)),
  ...['memory', '', '.', '.max', 'memory.', 'Memory.max', 'memory.max\n', 'a b.c'].map((file) =>
    refusedFile(file, /is no name of a file/),
  ),
  ...['cgroup.procs', 'cgroup.threads'].map((file) => refusedFile(file, /moves processes/)),
  refusedFile('cgroup.type', /what the cgroup can hold/),
  refusedFile('cgroup.subtree_control', /gives controllers/),
  ...['cgroup.freeze', 'cgroup.kill'].map((file) => refusedFile(file, /stops processes/)),
  refusedFile('memory.reclaim', /does something once/),
  refusedFile('cpu.pressure', /trigger/),
  ...['memory.current', 'cpu.stat', 'memory.events.local', 'cpuset.cpus.effective', 'memory.swap.peak'].map(
    (file) => refusedFile(file, /is a reading/),
  ),
  refusedValue('memory.high', '', 'ERR_VMCG_INVALID_ARGUMENT', /unified\.memory\.high "" is empty/),
  refusedValue('memory.high', '0100000', 'ERR_VMCG_INVALID_ARGUMENT', /begins with 0, .* base 8/),
  refusedValue('cpu.weight', '010', 'ERR_VMCG_INVALID_ARGUMENT', /begins with 0/),
  refusedValue('misc.max', 'sev 07', 'ERR_VMCG_INVALID_ARGUMENT', /begins with 0/),
  refusedValue('memory.high', '1M\n2M', 'ERR_VMCG_INVALID_ARGUMENT', /several lines/),
  refusedValue('memory.high', 'lots', 'ERR_VMCG_INVALID_ARGUMENT', /"lots" is malformed/),
  refusedValue('memory.high', '16E', 'ERR_VMCG_OUT_OF_RANGE', /16E.* is beyond/),
  refusedValue('memory.high', '-1', 'ERR_VMCG_INVALID_ARGUMENT', /"-1" is malformed/),
  refusedValue('cpu.weight', '10001', 'ERR_VMCG_OUT_OF_RANGE', /10001 is not from 1 to 10000/),
  refusedValue('cpu.weight', 'max', 'ERR_VMCG_INVALID_ARGUMENT', /"max" is no number/),
  refusedValue('cpu.max', '50000 100000 1', 'ERR_VMCG_INVALID_ARGUMENT', /malformed/),
  refusedValue('cpu.max', '999 100000', 'ERR_VMCG_OUT_OF_RANGE', /999 .* quota/),
  refusedValue('cpu.max', 'max 100', 'ERR_VMCG_OUT_OF_RANGE', /100 .* period/),
  refusedValue('cpuset.cpus', '3-1', 'ERR_VMCG_INVALID_ARGUMENT', /malformed/),
  refusedValue('io.max', '8:0 rbps=0', 'ERR_VMCG_INVALID_ARGUMENT', /malformed/),
  refusedValue('io.max', '8:0 rbps=1', 'ERR_VMCG_INVALID_ARGUMENT', /malformed/),
  refusedValue('io.max', 'sda rbps=5', 'ERR_VMCG_INVALID_ARGUMENT', /malformed/),
  refusedValue('io.weight', '0', 'ERR_VMCG_OUT_OF_RANGE', /"default 0" is not from 1 to 10000/),
  refusedValue('io.weight', 'default 10001', 'ERR_VMCG_OUT_OF_RANGE', /10001" is not from 1 to 10000/),
  refusedValue('io.weight', 'default 9\n8:0 10001', 'ERR_VMCG_OUT_OF_RANGE', /"8:0 10001" is not from 1 to/),
  refusedValue('io.bfq.weight', '8:16 1001', 'ERR_VMCG_OUT_OF_RANGE', /"8:16 1001" is not from 1 to 1000/),
  refusedValue('io.max', `8:0 rbps=${2n ** 64n}`, 'ERR_VMCG_OUT_OF_RANGE', /is not from 0 to 1844\d+615/),
  refusedValue('io.latency', `8:0 target=${2n ** 60n}`, 'ERR_VMCG_OUT_OF_RANGE', /is not from 0 to/),
  refusedValue('misc.max', `sev ${2n ** 64n}`, 'ERR_VMCG_OUT_OF_RANGE', /is not from 0 to 1844\d+615/),
  refusedValue('rdma.max', `mlx5_0 hca_object=${2 ** 31}`, 'ERR_VMCG_OUT_OF_RANGE', /to 2147483647/),
  refusedValue('pids.max', '4194305', 'ERR_VMCG_OUT_OF_RANGE', /"4194305" is not from 0 to 4194304/),
  refusedValue('cgroup.max.depth', String(2 ** 31), 'ERR_VMCG_OUT_OF_RANGE', /to 2147483647/),
  refusedValue('cgroup.max.descendants', String(2 ** 31), 'ERR_VMCG_OUT_OF_RANGE', /to 2147483647/),
  refusedValue('cpu.uclamp.min', '100.01', 'ERR_VMCG_OUT_OF_RANGE', /"100\.01" is not from 0\.00 to 100\.00/),
  refusedValue('cpu.weight.nice', '20', 'ERR_VMCG_OUT_OF_RANGE', /20 is not from -20 to 19/),
  refusedValue('memory.max', '9223372036854775808', 'ERR_VMCG_OUT_OF_RANGE', /is beyond/),
  ...['hugetlb.2MB.nope', 'hugetlb.max', 'hugetlb.2MB.rsvd', 'hugetlb.2MB.limit_in_bytes'].map((file) =>
    refusedFile(file, /is no limit of the hugetlb controller/),
  ),
  refusedFile('hugetlb.2048KB.max', /"2048KB" is no page size/),
  refusedValue('hugetlb.2MB.max', 'all', 'ERR_VMCG_INVALID_ARGUMENT', /malformed/),
  [
    { unified: { 'cpu.weight': '100', 'cpu.weight.nice': '0' } },
    'ERR_VMCG_INVALID_ARGUMENT',
    /unified\.cpu\.weight\.nice .* same as unified\.cpu\.weight/,
  ],
  ...['cpu.weight', 'cpu.weight.nice'].map(
    (file): RefusalRow => [
      { unified: { 'cpu.idle': '1', [file]: '10' } },
      'ERR_VMCG_INVALID_ARGUMENT',
      /unified\.cpu\.weight\S* 10 .* together with unified\.cpu\.idle 1/,
    ],
  ),
  [
    { cpu: { idle: 1 }, unified: { 'cpu.weight': '7' } },
    'ERR_VMCG_INVALID_ARGUMENT',
    /unified\.cpu\.weight 7 .* together with cpu\.idle 1/,
  ],
]

function refusedFile(file: string, message: RegExp): RefusalRow {
  return [{ unified: { [file]: '1' } }, 'ERR_VMCG_INVALID_ARGUMENT', message]
}

function refusedValue(file: string, value: string, code: string, message: RegExp): RefusalRow {
  return [{ unified: { [file]: value } }, code, message]
}
