import * as fc from 'fast-check'
import type { LinuxResources } from '../../src/model/generated/oci'
import type { KnobWrite, ObservedKnobs } from '../../src/model/resources/knob'
import { knobsOf } from '../../src/model/resources/knobs-of'
import { resourceWrites } from '../../src/model/resources/resource-writes'
import { anyResourcesV2 } from '../support/any-resources-v2'
import { forAll } from '../support/for-all'
import { firstNotKept } from '../support/model-kernel'
import { ModelKernelV2 } from '../support/model-kernel-v2'

function lines(
  resources: LinuxResources,
  observed: ObservedKnobs,
  previous: readonly KnobWrite[] = [],
): string[] {
  const options = { version: 2, observed, previous } as const
  return resourceWrites(resources, options).map(({ file, value }) => `${file}=${value}`)
}

const refusal = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })

const cpu = (max: string, burst = '0') => ({ 'cpu.max': max, 'cpu.max.burst': burst })
const memory = (max: string, swap: string, low = '0') => ({
  'memory.max': max,
  'memory.swap.max': swap,
  'memory.low': low,
})

describe('the order of writes', () => {
  it.each<[string, LinuxResources, ObservedKnobs, string[]]>([
    [
      'quota and period in one write',
      { cpu: { quota: 10_000, period: 10_000 } },
      cpu('100000 100000'),
      ['cpu.max=10000 10000'],
    ],
    [
      'a shrinking burst before the quota',
      { cpu: { quota: 20_000, burst: 10_000 } },
      cpu('50000 100000', '50000'),
      ['cpu.max.burst=10000', 'cpu.max=20000 100000'],
    ],
    [
      'a growing burst after the quota',
      { cpu: { quota: 50_000, burst: 50_000 } },
      cpu('20000 100000', '10000'),
      ['cpu.max=50000 100000', 'cpu.max.burst=50000'],
    ],
    [
      'a growing burst after a quota that comes last',
      { cpu: { burst: 50_000 }, unified: { 'cpu.max': '60000', 'memory.high': 'max' } },
      { ...cpu('20000 100000'), 'memory.high': '4096' },
      ['cpu.max=60000', 'cpu.max.burst=50000', 'memory.high=max'],
    ],
    [
      'a shrinking burst before the quota, where unified has them the other way round',
      { unified: { 'cpu.max': '20000', 'memory.high': 'max', 'cpu.max.burst': '10000' } },
      { ...cpu('50000 100000', '50000'), 'memory.high': '4096' },
      ['memory.high=max', 'cpu.max.burst=10000', 'cpu.max=20000'],
    ],
    [
      'idle off before the weight',
      { cpu: { idle: 0, shares: 1024 } },
      { 'cpu.idle': '1', 'cpu.weight': '0' },
      ['cpu.idle=0', 'cpu.weight=100'],
    ],
    [
      'idle off before the weight, where unified has them the other way round',
      { unified: { 'cpu.weight': '7', 'cpu.idle': '0' } },
      { 'cpu.idle': '1', 'cpu.weight': '0' },
      ['cpu.idle=0', 'cpu.weight=7'],
    ],
    [
      'memory before swap where both shrink',
      { memory: { limit: 8192, swap: 16_384 } },
      memory('65536', '65536'),
      ['memory.max=8192', 'memory.swap.max=8192'],
    ],
    [
      'more swap before less memory',
      { memory: { limit: 8192, swap: 65_536 } },
      memory('65536', '4096'),
      ['memory.swap.max=57344', 'memory.max=8192'],
    ],
    [
      'less protection before less memory',
      { memory: { limit: 8192, reservation: 4096 } },
      memory('65536', 'max', '65536'),
      ['memory.low=4096', 'memory.max=8192'],
    ],
    [
      'more protection after more memory',
      { memory: { limit: 65_536, reservation: 65_536 } },
      memory('8192', 'max', '8192'),
      ['memory.max=65536', 'memory.low=65536'],
    ],
    [
      "BFQ's weight of all devices before those of each, which it takes away",
      { blockIO: { weight: 200, weightDevice: [{ major: 8, minor: 0, weight: 300 }] } },
      { 'io.bfq.weight': 'default 100\n8:0 300', 'io.weight': 'default 100' },
      ['io.bfq.weight=default 200', 'io.bfq.weight=8:0 300'],
    ],
  ])('%s', (_, resources, observed, expected) => {
    expect(lines(resources, observed)).toEqual(expected)
  })
})

describe('what the kernel says already', () => {
  it.each<[LinuxResources, ObservedKnobs]>([
    [{ cpu: { quota: 50_000 } }, cpu('50000 100000')],
    [{ cpu: { quota: -1 } }, cpu('max 100000')],
    [{ unified: { 'cpu.max': '50000' } }, cpu('50000 20000')],
    [{ cpu: { shares: 1024 } }, { 'cpu.weight': '100', 'cpu.idle': '0' }],
    [{ cpu: { shares: 512, idle: 1 } }, { 'cpu.weight': '0', 'cpu.idle': '1' }],
    [{ cpu: { cpus: '2,0-1' } }, { 'cpuset.cpus': '0-2' }],
    [{ unified: { 'cpuset.cpus': '' } }, { 'cpuset.cpus': '' }],
    [{ memory: { limit: 8193, swap: 16_385 } }, memory('8192', '8192')],
    [{ memory: { limit: -1 } }, memory('max', 'max')],
    [{ unified: { 'memory.high': '2M' } }, { 'memory.high': '2097152' }],
    [{ unified: { 'memory.high': '9223372036854775807' } }, { 'memory.high': 'max' }],
    [
      { hugepageLimits: [{ pageSize: '2MB', limit: 3_000_000 }] },
      { 'hugetlb.2MB.max': '2097152', 'hugetlb.2MB.rsvd.max': '2097152' },
    ],
    [
      { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }] } },
      { 'io.max': '8:16 rbps=7 wbps=max riops=max wiops=max\n8:0 rbps=5 wbps=max riops=9 wiops=max' },
    ],
    [{ blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 0 }] } }, { 'io.max': '' }],
    [{ unified: { 'io.max': '8:0 riops=4294967295' } }, { 'io.max': '' }],
    [{ blockIO: { weight: 500 } }, { 'io.weight': 'default 4950' }],
    [{ blockIO: { weight: 500 } }, { 'io.bfq.weight': 'default 500', 'io.weight': 'default 100' }],
    [{ unified: { 'io.weight': '300' } }, { 'io.weight': 'default 300\n8:0 50' }],
    [{ rdma: { mlx5_0: { hcaObjects: 9 } } }, { 'rdma.max': 'mlx5_0 hca_handle=max hca_object=9' }],
    [{ unified: { 'misc.max': 'sev 3' } }, { 'misc.max': 'sev 3\nsev_es max' }],
    [{ unified: { 'cpu.uclamp.min': '12.5' } }, { 'cpu.uclamp.min': '12.50' }],
    [{ unified: { 'dmem.max': 'drm/card0 5' } }, { 'dmem.max': 'drm/card1 max\ndrm/card0 5' }],
  ])('needs no write: %j', (resources, observed) => {
    expect(lines(resources, observed)).toEqual([])
  })
})

describe('a kernel that lacks a knob', () => {
  it.each<[LinuxResources, string, RegExp]>([
    [{ cpu: { quota: 1_000, burst: 1_000 } }, 'cpu.max', /subtree_control/],
    [{ cpu: { idle: 1 } }, 'cpu.idle', /Linux 5\.15/],
    [{ memory: { limit: 4096 } }, 'memory.max', /echo \+memory > cgroup\.subtree_control/],
    [{ blockIO: { weight: 100 } }, 'io.weight', /CONFIG_BLK_CGROUP_IOCOST/],
    [{ unified: { 'dmem.max': 'x 1' } }, 'dmem.max', /echo \+dmem/],
  ])('refuses %j and names %s', (resources, file, hint) => {
    expect(() => lines(resources, {})).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_UNSUPPORTED',
        message: expect.stringContaining(`has no ${file}`),
        hint: expect.stringMatching(hint),
      }),
    )
  })

  it('needs none where no limit is asked for', () => {
    expect(lines({ memory: { limit: -1 } }, { 'memory.max': 'max' })).toEqual([])
  })

  it('has no limit on reserved pages before Linux 5.7', () => {
    const hugepageLimits = [{ pageSize: '2MB', limit: 0 }]
    expect(lines({ hugepageLimits }, { 'hugetlb.2MB.max': 'max' })).toEqual(['hugetlb.2MB.max=0'])
  })

  it('leaves the knob out where that is wished', () => {
    const told: string[] = []
    const onUnsupported = ({ message }: Error) => void told.push(message)
    const resources = { cpu: { idle: 1 }, pids: { limit: 5 } }
    const observed = { 'pids.max': 'max' }
    expect(resourceWrites(resources, { version: 2, observed, onUnsupported })).toHaveLength(1)
    expect(told).toEqual([expect.stringContaining('cpu.idle')])
  })
})

describe('what the cgroup has now rules out', () => {
  it.each<[string, LinuxResources, ObservedKnobs, RegExp]>([
    ['a quota below its burst', { cpu: { quota: 10_000 } }, cpu('50000 100000', '20000'), /quota 10000 /],
    ['a burst above its quota', { cpu: { burst: 60_000 } }, cpu('50000 100000'), /quota of 50000/],
    [
      'memory and swap below the limit of memory',
      { memory: { swap: 4096 } },
      memory('8192', 'max'),
      /memory\.swap 4096/,
    ],
    [
      'less memory than it uses',
      { memory: { limit: 4096, checkBeforeUpdate: true } },
      { ...memory('max', 'max'), 'memory.current': '8192', 'memory.swap.current': '0' },
      /memory\.limit 4096 is below the 8192 bytes in use/,
    ],
    [
      'less memory and swap than it uses',
      { memory: { limit: 8192, swap: 8192, checkBeforeUpdate: true } },
      { ...memory('max', 'max'), 'memory.current': '8192', 'memory.swap.current': '100' },
      /memory\.swap 8192 is below the 8292 bytes/,
    ],
  ])('%s', (_, resources, observed, message) => {
    expect(() => lines(resources, observed)).toThrow(refusal('ERR_VMCG_OUT_OF_RANGE', message))
  })

  it.each<LinuxResources>([{ cpu: { shares: 512 } }, { unified: { 'cpu.weight': '7' } }])(
    'a weight while it is idle: %j',
    (resources) => {
      expect(() => lines(resources, { 'cpu.weight': '0', 'cpu.idle': '1' })).toThrow(
        refusal('ERR_VMCG_INVALID_ARGUMENT', /cannot be set while the cgroup is idle/),
      )
    },
  )

  it.each<[LinuxResources, ObservedKnobs]>([
    [{ rdma: { mlx5_9: { hcaHandles: 1 } } }, { 'rdma.max': 'mlx5_0 hca_handle=max hca_object=max' }],
    [{ unified: { 'misc.max': 'sgx 1' } }, { 'misc.max': 'sev max' }],
  ])('a device or resource that does not exist: %j', (resources, observed) => {
    expect(() => lines(resources, observed)).toThrow(refusal('ERR_VMCG_INVALID_ARGUMENT', /knows no/))
  })

  it('takes memory and swap alone where memory is limited already', () => {
    expect(lines({ memory: { swap: 12_288 } }, memory('4096', 'max'))).toEqual(['memory.swap.max=8192'])
  })
})

it('reads every knob that the kernel checks a write against', () => {
  const resources = {
    cpu: { quota: 1, cpus: '0' },
    memory: { limit: 1, checkBeforeUpdate: true },
    hugepageLimits: [{ pageSize: '1GB', limit: 0 }],
    unified: { 'cpu.weight.nice': '3', 'memory.high': '5' },
  }
  expect(knobsOf(resources, 2).map(({ file }) => file)).toEqual([
    'cpu.weight',
    'cpu.idle',
    'cpu.max',
    'cpu.max.burst',
    'cpuset.cpus',
    'memory.max',
    'memory.swap.max',
    'memory.current',
    'memory.swap.current',
    'hugetlb.1GB.max',
    'hugetlb.1GB.rsvd.max',
    'cpu.weight.nice',
    'memory.high',
  ])
})

describe('on a kernel that checks its knobs against each other', () => {
  const DEVICES = [
    { major: 8, minor: 0 },
    { major: 8, minor: 16 },
  ]
  const anyResources = anyResourcesV2(DEVICES)

  /** Writes them all, and throws at the first that is refused or not kept. */
  function apply(kernel: ModelKernelV2, writes: readonly KnobWrite[]): void {
    for (const { file, value } of writes) {
      const errno = kernel.write(file, value)
      if (errno !== undefined)
        throw new Error(`${errno} for ${file}=${value} after ${JSON.stringify(kernel.knobs)}`)
    }
    expect(firstNotKept(writes, kernel.knobs)).toBeUndefined()
  }

  it('no write between any two states is refused, then nothing is left to do, and all can be lifted', () => {
    forAll(fc.tuple(anyResources, anyResources), (steps) => {
      const kernel = new ModelKernelV2()
      const fresh = kernel.knobs
      let previous: readonly KnobWrite[] = []
      for (const step of [...steps, {}]) {
        const options = { version: 2, observed: kernel.knobs, previous } as const
        const writes = resourceWrites(step, options)
        apply(kernel, writes)
        previous = [...previous, ...writes]
        expect(resourceWrites(step, { version: 2, observed: kernel.knobs, previous })).toEqual([])
      }
      expect(kernel.knobs).toEqual(fresh)
    })
  })

  it('beside knobs that somebody else wrote, it is refused before the first write or not at all', () => {
    forAll(fc.tuple(anyResources, anyResources), ([from, to]) => {
      const kernel = new ModelKernelV2()
      apply(kernel, resourceWrites(from, { version: 2, observed: kernel.knobs }))
      let writes: readonly KnobWrite[]
      try {
        writes = resourceWrites(to, { version: 2, observed: kernel.knobs })
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/OUT_OF_RANGE|INVALID_ARGUMENT/) })
        return
      }
      apply(kernel, writes)
      expect(resourceWrites(to, { version: 2, observed: kernel.knobs })).toEqual([])
    })
  })

  it('leaves no moment with less memory and swap than both before and after', () => {
    forAll(fc.tuple(anyResources, anyResources), ([from, to]) => {
      const kernel = new ModelKernelV2()
      const room = () => bytesOf(kernel.knobs['memory.max']) + bytesOf(kernel.knobs['memory.swap.max'])
      const rooms: number[] = []
      for (const resources of [from, to]) {
        const writes = resourceWrites(
          { memory: resources.memory ?? {} },
          { version: 2, observed: kernel.knobs },
        )
        rooms.splice(0, rooms.length, room())
        for (const { file, value } of writes) {
          kernel.write(file, value)
          rooms.push(room())
        }
      }
      expect(Math.min(...rooms)).toBe(Math.min(rooms[0] ?? 0, rooms.at(-1) ?? 0))
    })
  })

  function bytesOf(text: string | undefined): number {
    return text === 'max' ? Number.POSITIVE_INFINITY : Number(text)
  }

  it.each<[LinuxResources, LinuxResources]>([
    [{ cpu: { quota: 50_000, burst: 50_000 } }, { cpu: { quota: 20_000, burst: 10_000 } }],
    [{ cpu: { quota: 20_000, burst: 10_000 } }, { cpu: { quota: 50_000, burst: 50_000 } }],
    [{ cpu: { idle: 1 } }, { cpu: { idle: 0, shares: 512 } }],
  ])('would catch the wrong order: from %j to %j', (from, to) => {
    const kernel = new ModelKernelV2()
    apply(kernel, resourceWrites(from, { version: 2 }))
    const writes = resourceWrites(to, { version: 2, observed: kernel.knobs })
    expect(() => apply(kernel, writes.toReversed())).toThrow(/EINVAL/)
  })
})
