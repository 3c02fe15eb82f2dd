import type { LinuxResources } from '../../src/model/generated/oci'
import { knobsOf } from '../../src/model/resources/knobs-of'
import { resourceWrites } from '../../src/model/resources/resource-writes'

const UNLIMITED = '9223372036854771712'

type Observed = Readonly<Record<string, string | undefined>>

function lines(resources: LinuxResources, observed: Observed): string[] {
  return resourceWrites(resources, { version: 1, observed }).map(({ file, value }) => `${file}=${value}`)
}

const refusal = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })

describe('the order of writes', () => {
  const cfs = (quota: string, period = '100000', burst = '0') => ({
    'cpu.cfs_quota_us': quota,
    'cpu.cfs_period_us': period,
    'cpu.cfs_burst_us': burst,
  })
  const memory = (limit: string, memsw: string) => ({
    'memory.limit_in_bytes': limit,
    'memory.memsw.limit_in_bytes': memsw,
  })
  it.each<[string, LinuxResources, Observed, string[]]>([
    [
      'the quota before a shorter period',
      { cpu: { quota: 10_000, period: 10_000 } },
      cfs('100000'),
      ['cpu.cfs_quota_us=10000', 'cpu.cfs_period_us=10000'],
    ],
    [
      'a longer period before the quota',
      { cpu: { quota: 100_000, period: 100_000 } },
      cfs('10000', '10000'),
      ['cpu.cfs_period_us=100000', 'cpu.cfs_quota_us=100000'],
    ],
    [
      'a shrinking burst before the quota',
      { cpu: { quota: 20_000, burst: 10_000 } },
      cfs('50000', '100000', '50000'),
      ['cpu.cfs_burst_us=10000', 'cpu.cfs_quota_us=20000'],
    ],
    [
      'a growing burst after the quota',
      { cpu: { quota: 50_000, burst: 50_000 } },
      cfs('20000', '100000', '10000'),
      ['cpu.cfs_quota_us=50000', 'cpu.cfs_burst_us=50000'],
    ],
    [
      'idle off before shares, which are written even where they read the same',
      { cpu: { idle: 0, shares: 3 } },
      { 'cpu.idle': '1', 'cpu.shares': '3' },
      ['cpu.idle=0', 'cpu.shares=3'],
    ],
    [
      'the runtime before a shorter realtime period',
      { cpu: { realtimeRuntime: 100, realtimePeriod: 1_000 } },
      { 'cpu.rt_runtime_us': '2000', 'cpu.rt_period_us': '10000' },
      ['cpu.rt_runtime_us=100', 'cpu.rt_period_us=1000'],
    ],
    [
      'a longer realtime period before the runtime',
      { cpu: { realtimeRuntime: 2_000, realtimePeriod: 10_000 } },
      { 'cpu.rt_runtime_us': '100', 'cpu.rt_period_us': '1000' },
      ['cpu.rt_period_us=10000', 'cpu.rt_runtime_us=2000'],
    ],
    [
      'memory before memory+swap where it fits below',
      { memory: { limit: 4096, swap: 8192 } },
      memory('16384', '32768'),
      ['memory.limit_in_bytes=4096', 'memory.memsw.limit_in_bytes=8192'],
    ],
    [
      'memory+swap before memory where it does not',
      { memory: { limit: 65_536, swap: 65_536 } },
      memory('16384', '32768'),
      ['memory.memsw.limit_in_bytes=65536', 'memory.limit_in_bytes=65536'],
    ],
    [
      'memory+swap before memory up to no limit, which both get',
      { memory: { limit: -1 } },
      memory('16384', '32768'),
      ['memory.memsw.limit_in_bytes=-1', 'memory.limit_in_bytes=-1'],
    ],
    [
      'memory before memory+swap down from no limit',
      { memory: { limit: 4096, swap: 4096 } },
      memory(UNLIMITED, UNLIMITED),
      ['memory.limit_in_bytes=4096', 'memory.memsw.limit_in_bytes=4096'],
    ],
    [
      'the weight before those of devices, which it takes away',
      { blockIO: { weight: 200, weightDevice: [{ major: 8, minor: 0, weight: 300 }] } },
      { 'blkio.bfq.weight': '100', 'blkio.bfq.weight_device': 'default 100\n8:0 300' },
      ['blkio.bfq.weight=200', 'blkio.bfq.weight_device=8:0 300'],
    ],
  ])('is %s', (_, resources, observed, expected) => {
    expect(lines(resources, observed)).toEqual(expected)
  })
})

describe('what the kernel says already is left out', () => {
  it.each<[LinuxResources, Observed]>([
    [{ cpu: { shares: 512 } }, { 'cpu.shares': '512', 'cpu.idle': '0' }],
    [{ cpu: { cpus: '0,1,2,3' } }, { 'cpuset.cpus': '0-3' }],
    [
      { memory: { limit: 1_048_577 } },
      { 'memory.limit_in_bytes': '1048576', 'memory.memsw.limit_in_bytes': UNLIMITED },
    ],
    [
      { memory: { limit: -1 } },
      { 'memory.limit_in_bytes': UNLIMITED, 'memory.memsw.limit_in_bytes': UNLIMITED },
    ],
    [
      { memory: { disableOOMKiller: true } },
      { 'memory.oom_control': 'oom_kill_disable 1\nunder_oom 0\noom_kill 0' },
    ],
    [{ memory: { useHierarchy: false } }, { 'memory.use_hierarchy': '0' }],
    [{ pids: { limit: -1 } }, { 'pids.max': 'max' }],
    [
      {
        blockIO: {
          throttleReadBpsDevice: [
            { major: 8, minor: 0, rate: 5 },
            { major: 8, minor: 16, rate: 0 },
          ],
        },
      },
      { 'blkio.throttle.read_bps_device': '8:0 5\n8:1 6' },
    ],
    [{ network: { priorities: [{ name: 'lo', priority: 1 }] } }, { 'net_prio.ifpriomap': 'lo 1\neth0 0' }],
    [{ rdma: { mlx5_0: { hcaHandles: 3 } } }, { 'rdma.max': 'mlx5_0 hca_handle=3 hca_object=max' }],
    [
      { hugepageLimits: [{ pageSize: '2MB', limit: 3_000_000 }] },
      { 'hugetlb.2MB.limit_in_bytes': '2097152', 'hugetlb.2MB.rsvd.limit_in_bytes': '2097152' },
    ],
  ])('%j', (resources, observed) => {
    expect(lines(resources, observed)).toEqual([])
  })
})

describe('a kernel without the knob', () => {
  it.each<[LinuxResources, string]>([
    [{ cpu: { burst: 0 } }, 'cpu.cfs_burst_us'],
    [{ cpu: { idle: 0 } }, 'cpu.idle'],
    [{ memory: { swap: -1 } }, 'memory.memsw.limit_in_bytes'],
    [{ memory: { limit: -1 } }, 'memory.limit_in_bytes'],
  ])('has no limit where %j asks for none', (resources) => {
    expect(lines(resources, {})).toEqual([])
  })

  it.each<[LinuxResources, string]>([
    [{ cpu: { quota: 1_000, burst: 1_000 } }, 'cpu.cfs_quota_us'],
    [{ cpu: { idle: 1 } }, 'cpu.idle'],
    [{ cpu: { realtimeRuntime: 1 } }, 'cpu.rt_runtime_us'],
    [{ memory: { limit: 4096 } }, 'memory.limit_in_bytes'],
    [{ blockIO: { weight: 100 } }, 'blkio.bfq.weight'],
    [{ blockIO: { leafWeight: 500 } }, 'blkio.leaf_weight'],
    [{ blockIO: { weightDevice: [{ major: 8, minor: 0, leafWeight: 500 }] } }, 'blkio.leaf_weight_device'],
    [{ hugepageLimits: [{ pageSize: '1GB', limit: 0 }] }, 'hugetlb.1GB.limit_in_bytes'],
  ])('refuses %j and names %s', (resources, file) => {
    expect(() => lines(resources, {})).toThrow(refusal('ERR_VMCG_UNSUPPORTED', new RegExp(`no ${file}`)))
  })

  it('says what to do for swap', () => {
    const observed = { 'memory.limit_in_bytes': UNLIMITED }
    expect(() => lines({ memory: { limit: 4096, swap: 4096 } }, observed)).toThrow(
      expect.objectContaining({ hint: expect.stringMatching('swapaccount=1') }),
    )
  })
})

describe('a kernel with other knobs', () => {
  const cfq = { 'blkio.weight': '500', 'blkio.weight_device': '', 'blkio.leaf_weight': '500' }

  it('has the weights of CFQ where those are', () => {
    const blockIO = { weight: 300, leafWeight: 20, weightDevice: [{ major: 8, minor: 0, weight: 10 }] }
    expect(lines({ blockIO }, cfq)).toEqual([
      'blkio.weight=300',
      'blkio.leaf_weight=20',
      'blkio.weight_device=8:0 10',
    ])
    expect(() => lines({ blockIO: { weight: 9 } }, cfq)).toThrow(
      refusal('ERR_VMCG_OUT_OF_RANGE', /10 to 1000/),
    )
  })

  it('limits reserved huge pages too where it can', () => {
    const observed = { 'hugetlb.2MB.limit_in_bytes': '0', 'hugetlb.2MB.rsvd.limit_in_bytes': '0' }
    expect(lines({ hugepageLimits: [{ pageSize: '2MB', limit: 4_194_304 }] }, observed)).toEqual([
      'hugetlb.2MB.limit_in_bytes=4194304',
      'hugetlb.2MB.rsvd.limit_in_bytes=4194304',
    ])
  })
})

describe('what the cgroup has now rules out', () => {
  const MEMORY = 'memory.limit_in_bytes'
  const MEMSW = 'memory.memsw.limit_in_bytes'
  it.each<[string, LinuxResources, Observed, RegExp]>([
    [
      'a quota below its burst',
      { cpu: { quota: 10_000 } },
      { 'cpu.cfs_quota_us': '50000', 'cpu.cfs_period_us': '100000', 'cpu.cfs_burst_us': '20000' },
      /cpu\.quota 10000 .*burst of 20000/,
    ],
    [
      'a burst above its quota',
      { cpu: { burst: 60_000 } },
      { 'cpu.cfs_quota_us': '50000', 'cpu.cfs_period_us': '100000', 'cpu.cfs_burst_us': '0' },
      /cpu\.burst 60000 .*quota of 50000/,
    ],
    [
      'a realtime period below its runtime',
      { cpu: { realtimePeriod: 10 } },
      { 'cpu.rt_runtime_us': '11', 'cpu.rt_period_us': '100' },
      /cpu\.realtimePeriod 10/,
    ],
    [
      'a limit above its memory+swap',
      { memory: { limit: 8192 } },
      { [MEMORY]: '4096', [MEMSW]: '4096' },
      /memory\.limit/,
    ],
    [
      'memory+swap below its limit',
      { memory: { swap: 4096 } },
      { [MEMORY]: '8192', [MEMSW]: UNLIMITED },
      /memory\.swap/,
    ],
    [
      'less memory than it uses',
      { memory: { limit: 4096, checkBeforeUpdate: true } },
      { [MEMORY]: UNLIMITED, [MEMSW]: UNLIMITED, 'memory.usage_in_bytes': '8192' },
      /memory\.limit 4096 is below the 8192 bytes in use/,
    ],
    [
      'less memory+swap than it uses',
      { memory: { limit: 8192, swap: 8192, checkBeforeUpdate: true } },
      {
        [MEMORY]: UNLIMITED,
        [MEMSW]: UNLIMITED,
        'memory.usage_in_bytes': '1',
        'memory.memsw.usage_in_bytes': '9000',
      },
      /memory\.swap 8192 is below the 9000 bytes/,
    ],
  ])('%s', (_, resources, observed, message) => {
    expect(() => lines(resources, observed)).toThrow(refusal('ERR_VMCG_OUT_OF_RANGE', message))
  })

  it('shares while it is idle', () => {
    expect(() => lines({ cpu: { shares: 512 } }, { 'cpu.shares': '3', 'cpu.idle': '1' })).toThrow(
      refusal('ERR_VMCG_INVALID_ARGUMENT', /cpu\.shares 512 cannot be set while the cgroup is idle/),
    )
  })

  it.each<[LinuxResources, Observed]>([
    [{ network: { priorities: [{ name: 'eth9', priority: 1 }] } }, { 'net_prio.ifpriomap': 'lo 0' }],
    [{ rdma: { mlx5_9: { hcaHandles: 1 } } }, { 'rdma.max': 'mlx5_0 hca_handle=max hca_object=max' }],
  ])('a device that does not exist: %j', (resources, observed) => {
    expect(() => lines(resources, observed)).toThrow(refusal('ERR_VMCG_INVALID_ARGUMENT', /knows no/))
  })

  it('takes memory+swap alone where memory is limited already', () => {
    expect(lines({ memory: { swap: 8192 } }, { [MEMORY]: '4096', [MEMSW]: UNLIMITED })).toEqual([
      `${MEMSW}=8192`,
    ])
  })
})

describe('what was read is refused', () => {
  it('with its last newline, which nothing would be the same as', () => {
    expect(() => lines({ pids: { limit: 5 } }, { 'pids.max': '5\n' })).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_INVALID_ARGUMENT',
        message: `observed['pids.max'] must be the text of a knob without its last newline, not "5\\n"`,
        hint: expect.stringContaining('trimEnd()'),
      }),
    )
  })

  it.each(['{"pids.max":5}', '{"pids.max":null}'])('as another thing than text: %s', (json) => {
    expect(() => lines({ pids: { limit: 5 } }, JSON.parse(json))).toThrow(
      refusal('ERR_VMCG_INVALID_ARGUMENT', /observed\['pids\.max'\] must be a string/),
    )
  })
})

it('what was written before is refused as another thing than text', () => {
  const previous = JSON.parse('[{"controller":"pids","file":"pids.max","value":5}]')
  expect(() => resourceWrites({}, { version: 1, previous })).toThrow(
    refusal('ERR_VMCG_INVALID_ARGUMENT', /previous\[0\]\.value must be a string, not 5/),
  )
})

it('reads every knob that the kernel checks a write against', () => {
  const files = knobsOf(
    {
      cpu: { quota: 1, cpus: '0' },
      memory: { limit: 1, checkBeforeUpdate: true },
      hugepageLimits: [{ pageSize: '1GB', limit: 0 }],
    },
    1,
    [{ controller: 'cpu', file: 'cpu.idle', value: '1' }],
  ).map(({ file }) => file)
  expect(files).toEqual([
    'cpu.shares',
    'cpu.idle',
    'cpu.cfs_quota_us',
    'cpu.cfs_period_us',
    'cpu.cfs_burst_us',
    'cpuset.cpus',
    'memory.limit_in_bytes',
    'memory.memsw.limit_in_bytes',
    'memory.usage_in_bytes',
    'memory.memsw.usage_in_bytes',
    'hugetlb.1GB.limit_in_bytes',
    'hugetlb.1GB.rsvd.limit_in_bytes',
  ])
})
