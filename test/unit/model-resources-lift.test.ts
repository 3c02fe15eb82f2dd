import * as fc from 'fast-check'
import type { LinuxResources } from '../../src/model/generated/oci'
import { isKept } from '../../src/model/resources/kept'
import type { KnobWrite } from '../../src/model/resources/knob'
import { resourceWrites } from '../../src/model/resources/resource-writes'
import { unlimitedValue } from '../../src/model/resources/unlimited'
import { anyCpu, anyMemory, anyWeights } from '../support/any-resources'
import { forAll } from '../support/for-all'
import { firstNotKept, ModelKernel } from '../support/model-kernel'

describe('isKept', () => {
  it.each([
    ['memory.limit_in_bytes', '1048577', '1048576', true],
    ['memory.limit_in_bytes', '1048576', '1044480', false],
    ['memory.limit_in_bytes', '-1', '9223372036854771712', true],
    ['memory.limit_in_bytes', '-1', '9007199254736896', false],
    ['hugetlb.2MB.limit_in_bytes', '3000000', '2097152', true],
    ['hugetlb.2MB.rsvd.limit_in_bytes', '1', '0', true],
    ['hugetlb.2MB.limit_in_bytes', '-1', '9223372036852678656', true],
    ['cpuset.cpus', '0,1,2', '0-2', true],
    ['cpuset.cpus', '0-2', '0-1', false],
    ['pids.max', 'max', 'max', true],
    ['pids.max', '5', 'max', false],
    ['cpu.shares', '262145', '262144', false],
    ['cpu.cfs_quota_us', '-1', '-1', true],
    ['memory.oom_control', '1', 'oom_kill_disable 1\nunder_oom 0', true],
    ['memory.oom_control', '1', 'oom_kill_disable 0\nunder_oom 1', false],
    ['blkio.throttle.read_bps_device', '8:0 5', '8:16 1\n8:0 5', true],
    ['blkio.throttle.read_bps_device', '8:0 5', '8:0 50', false],
    ['blkio.throttle.read_bps_device', '8:0 0', '8:16 1', true],
    ['blkio.throttle.read_bps_device', '8:0 0', '8:0 1', false],
    ['blkio.bfq.weight_device', '8:0 300', 'default 100\n8:0 300', true],
    ['blkio.bfq.weight_device', '8:0 default', 'default 100', true],
    ['net_prio.ifpriomap', 'lo 0', 'lo 0\neth0 3', true],
    ['net_prio.ifpriomap', 'lo 3', 'lo 0\neth0 3', false],
    ['rdma.max', 'mlx5_0 hca_object=9', 'mlx5_0 hca_handle=max hca_object=9', true],
    ['rdma.max', 'mlx5_0 hca_object=9', 'mlx5_1 hca_handle=max hca_object=9', false],
  ])('%s: wrote %p, reads %p: %p', (file, wanted, kept, answer) => {
    expect(isKept(file, wanted, kept)).toBe(answer)
  })

  it('rounds to the pages of the machine', () => {
    expect(isKept('memory.limit_in_bytes', '100000', '65536', { pageSize: 65_536 })).toBe(true)
    expect(isKept('memory.limit_in_bytes', '-1', '9223372036854710272', { pageSize: 65_536 })).toBe(true)
  })
})

describe('unlimitedValue', () => {
  it.each([
    ['cpu.shares', undefined, '1024'],
    ['cpu.cfs_quota_us', undefined, '-1'],
    ['memory.memsw.limit_in_bytes', undefined, '-1'],
    ['pids.max', undefined, 'max'],
    ['hugetlb.1GB.rsvd.limit_in_bytes', undefined, '-1'],
    ['blkio.throttle.write_iops_device', '8:0 100', '8:0 0'],
    ['blkio.weight_device', '8:0 100', '8:0 0'],
    ['blkio.bfq.weight_device', '8:0 100', '8:0 default'],
    ['net_prio.ifpriomap', 'lo 5', 'lo 0'],
    ['rdma.max', 'mlx5_0 hca_handle=2', 'mlx5_0 hca_handle=max'],
    ['blkio.throttle.read_bps_device', undefined, undefined],
    ['cpuset.cpus', undefined, undefined],
    ['memory.swappiness', undefined, undefined],
    ['memory.use_hierarchy', undefined, undefined],
  ])('of %s after %p is %p', (file, written, value) => {
    expect(unlimitedValue(file, written)).toBe(value)
  })
})

function write(controller: string, file: string, value: string): KnobWrite {
  return { controller, file, value }
}

describe('lifting', () => {
  it('takes back what was written and is asked no more, and only that', () => {
    const previous = [write('pids', 'pids.max', '5'), write('cpu', 'cpu.shares', '512')]
    const observed = { 'pids.max': '5', 'cpu.shares': '512', 'cpu.idle': '0', 'cpu.cfs_quota_us': '9000' }
    expect(resourceWrites({ cpu: { shares: 100 } }, { version: 1, observed, previous })).toEqual([
      write('cpu', 'cpu.shares', '100'),
      write('pids', 'pids.max', 'max'),
    ])
  })

  it('takes back the line of one device and leaves those of others', () => {
    const file = 'blkio.throttle.read_bps_device'
    const previous = [write('blkio', file, '8:0 5'), write('blkio', file, '8:16 5')]
    const observed = { [file]: '8:0 5\n8:16 5\n8:32 5' }
    const blockIO = { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }] }
    expect(resourceWrites({ blockIO }, { version: 1, observed, previous })).toEqual([
      write('blkio', file, '8:16 0'),
    ])
  })

  it('writes nothing where the limit, the device or the knob has gone by itself', () => {
    const previous = [
      write('pids', 'pids.max', '5'),
      write('cpu', 'cpu.cfs_burst_us', '5'),
      write('net_prio', 'net_prio.ifpriomap', 'tap0 5'),
    ]
    const observed = { 'pids.max': 'max', 'net_prio.ifpriomap': 'lo 0' }
    expect(resourceWrites({}, { version: 1, observed, previous })).toEqual([])
  })

  it('has nothing to take back once it was lifted, whoever writes there later', () => {
    const previous = [write('pids', 'pids.max', '5'), write('pids', 'pids.max', 'max')]
    expect(resourceWrites({}, { version: 1, observed: { 'pids.max': '7' }, previous })).toEqual([])
  })

  it('takes memory+swap off before memory', () => {
    const previous = resourceWrites({ memory: { limit: 4096, swap: 8192 } }, { version: 1 })
    const observed = { 'memory.limit_in_bytes': '4096', 'memory.memsw.limit_in_bytes': '8192' }
    expect(resourceWrites({}, { version: 1, observed, previous })).toEqual([
      write('memory', 'memory.memsw.limit_in_bytes', '-1'),
      write('memory', 'memory.limit_in_bytes', '-1'),
    ])
  })
})

describe('on a kernel that checks its knobs against each other', () => {
  const DEVICES = [
    { major: 8, minor: 0 },
    { major: 8, minor: 16 },
  ]
  const kinds: readonly [string, fc.Arbitrary<LinuxResources>][] = [
    ['cpu', anyCpu()],
    ['memory', anyMemory],
    ['weights', anyWeights(DEVICES)],
  ]

  /** Writes them all, and throws at the first that is refused or not kept. */
  function apply(kernel: ModelKernel, writes: readonly KnobWrite[]): void {
    for (const { file, value } of writes) {
      const errno = kernel.write(file, value)
      if (errno !== undefined)
        throw new Error(`${errno} for ${file}=${value} after ${JSON.stringify(kernel.knobs)}`)
    }
    expect(firstNotKept(writes, kernel.knobs)).toBeUndefined()
  }

  /** A parent that has no more room than the larger of the two asks for. */
  function tightParent(...states: readonly Readonly<Record<string, string>>[]): ModelKernel {
    const ratio = (kind: 'cfs_quota' | 'rt_runtime', period: string) =>
      Math.max(...states.map((knobs) => Number(knobs[`cpu.${kind}_us`]) / Number(knobs[period])), 0)
    return new ModelKernel({
      ...(ratio('cfs_quota', 'cpu.cfs_period_us') > 0 && {
        cfsRatio: ratio('cfs_quota', 'cpu.cfs_period_us'),
      }),
      rtRatio: ratio('rt_runtime', 'cpu.rt_period_us'),
    })
  }

  function stateAfter(...steps: readonly LinuxResources[]): Readonly<Record<string, string>> {
    const kernel = new ModelKernel()
    for (const step of steps) {
      apply(
        kernel,
        resourceWrites(step, { version: 1, observed: kernel.knobs, previous: previousOf(kernel) }),
      )
    }
    return kernel.knobs
  }

  /** As if every knob of the cgroup had been written by us. */
  function previousOf(kernel: ModelKernel): KnobWrite[] {
    return Object.entries(kernel.knobs).flatMap(([file, text]) => {
      const [controller = ''] = file.split('.')
      const lines = file.endsWith('_device') ? text.split('\n').slice(1) : [text]
      return lines.map((value) => write(controller, file, value))
    })
  }

  it.each(kinds)(
    '%s: no write between any two states is refused, and then nothing is left to do',
    (_, any) => {
      forAll(fc.tuple(any, any), ([from, to]) => {
        const kernel = tightParent(stateAfter(from), stateAfter(from, to))
        apply(kernel, resourceWrites(from, { version: 1 }))
        const options = { version: 1 as const, previous: previousOf(kernel) }
        apply(kernel, resourceWrites(to, { ...options, observed: kernel.knobs }))
        expect(resourceWrites(to, { ...options, observed: kernel.knobs })).toEqual([])
      })
    },
  )

  it.each(kinds)(
    '%s: beside knobs that somebody else wrote, it is refused before the first write or not at all',
    (_, any) => {
      forAll(fc.tuple(any, any), ([from, to]) => {
        const kernel = new ModelKernel()
        apply(kernel, resourceWrites(from, { version: 1 }))
        let writes: readonly KnobWrite[]
        try {
          writes = resourceWrites(to, { version: 1, observed: kernel.knobs })
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/OUT_OF_RANGE|INVALID_ARGUMENT/) })
          return
        }
        apply(kernel, writes)
        expect(resourceWrites(to, { version: 1, observed: kernel.knobs })).toEqual([])
      })
    },
  )

  it.each<[LinuxResources, LinuxResources]>([
    [{ cpu: { quota: 100_000, period: 100_000 } }, { cpu: { quota: 10_000, period: 10_000 } }],
    [{ cpu: { quota: 50_000, burst: 50_000 } }, { cpu: { quota: 20_000, burst: 10_000 } }],
    [{ cpu: { idle: 1 } }, { cpu: { idle: 0, shares: 512 } }],
    [{ memory: { limit: 4096, swap: 4096 } }, { memory: { limit: 65_536, swap: 65_536 } }],
  ])('would catch the wrong order: from %j to %j', (from, to) => {
    const kernel = tightParent(stateAfter(from), stateAfter(from, to))
    apply(kernel, resourceWrites(from, { version: 1 }))
    const writes = resourceWrites(to, { version: 1, observed: kernel.knobs })
    expect(() => apply(kernel, writes.toReversed())).toThrow(/EINVAL/)
  })
})
