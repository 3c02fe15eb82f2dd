import { knobsOf } from '../../src/model/resources/knobs-of'
import { resourceWrites } from '../../src/model/resources/resource-writes'
import {
  fieldCasesV2,
  INEXPRESSIBLE,
  ioWeightCases,
  REFUSALS_V2,
  unifiedCases,
} from '../support/resource-tables-v2'

const DISK = { major: 8, minor: 0 }
const CASES = [...fieldCasesV2(DISK), ...unifiedCases(DISK), ...ioWeightCases(DISK)]

it.each(CASES)('writes to a new cgroup: $name', ({ resources, writes }) => {
  expect(resourceWrites(resources, { version: 2 })).toEqual(writes)
})

it.each(CASES)('reads what it would write: $name', ({ resources, writes }) => {
  const files = knobsOf(resources, 2).map(({ file }) => file)
  expect(files).toEqual(expect.arrayContaining(writes.map(({ file }) => file)))
})

it.each(REFUSALS_V2)('refuses %j', (resources, code, message) => {
  expect(() => resourceWrites(resources, { version: 2 })).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  )
})

it('refuses a weight that only BFQ takes where BFQ is not there', () => {
  const resources = { blockIO: { weight: 9 } }
  const observed = { 'io.bfq.weight': 'default 100' }
  expect(() => resourceWrites(resources, { version: 2 })).toThrow(/blockIO\.weight 9 is not from 10 to 1000/)
  expect(resourceWrites(resources, { version: 2, observed })).toHaveLength(1)
})

describe('what cgroup v2 has no knob for', () => {
  it.each(INEXPRESSIBLE)('is refused with what there is instead: %j', (resources, message) => {
    expect(() => resourceWrites(resources, { version: 2 })).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_UNSUPPORTED',
        message: expect.stringMatching(message),
        hint: expect.any(String),
      }),
    )
  })

  it.each(INEXPRESSIBLE)('is told and left out where that is wished: %j', (resources, message) => {
    const refusals: Error[] = []
    const onUnsupported = (refusal: Error) => void refusals.push(refusal)
    const withMore = { ...resources, pids: { limit: 5 } }
    expect(resourceWrites(withMore, { version: 2, onUnsupported })).toEqual([
      { controller: 'pids', file: 'pids.max', value: '5' },
    ])
    expect(refusals.map((refusal) => refusal.message)).toEqual([expect.stringMatching(message)])
  })
})

it.each([
  '{"cpu":{"shares":"512"}}',
  '{"cpu":{"realtimeRuntime":"5"}}',
  '{"memory":{"disableOOMKiller":1}}',
  '{"memory":[]}',
  '{"blockIO":{"throttleReadBpsDevice":{}}}',
  '{"blockIO":{"throttleReadBpsDevice":[{"rate":4}]}}',
  '{"network":{"priorities":5}}',
  '{"unified":[]}',
  '{"hugepageLimits":null}',
  '{"unified":{"memory.high":5}}',
  '{"unified":{"memory.high":"5\\u0000"}}',
])('refuses the wrong types of %s', (json) => {
  expect(() => resourceWrites(JSON.parse(json), { version: 2 })).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }),
  )
})

it('leaves devices to others', () => {
  expect(resourceWrites({ devices: [{ allow: false }], unified: {} }, { version: 2 })).toEqual([])
})

describe('unified', () => {
  const files = (unified: Readonly<Record<string, string>>, cpu = {}) =>
    resourceWrites({ cpu, memory: { limit: 4096 }, unified }, { version: 2 }).map(
      ({ file, value }) => `${file}=${value}`,
    )

  it('comes after every other field, in the order given', () => {
    expect(files({ 'pids.max': '5', 'memory.high': '1M', 'cpu.weight': '7' }, { cpus: '0' })).toEqual([
      'cpuset.cpus=0',
      'memory.max=4096',
      'pids.max=5',
      'memory.high=1M',
      'cpu.weight=7',
    ])
  })

  it('takes the place of a field that is written to the same knob, or the same line of one', () => {
    expect(files({ 'memory.max': 'max' })).toEqual(['memory.max=max'])
    const blockIO = {
      throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }],
      throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 5 }],
    }
    const unified = { 'io.max': '8:0 rbps=9' }
    expect(resourceWrites({ blockIO, unified }, { version: 2 })).toEqual([
      { controller: 'io', file: 'io.max', value: '8:0 wbps=5 rbps=9' },
    ])
  })

  it('takes files that this version knows nothing of', () => {
    expect(files({ 'dmem.max': 'drm/card0 5\ndrm/card1 6' }).slice(1)).toEqual([
      'dmem.max=drm/card0 5',
      'dmem.max=drm/card1 6',
    ])
  })

  it.each([
    ['cgroup.max.depth', String(2 ** 31 - 1)],
    ['cpu.uclamp.max', '100.00'],
    ['io.bfq.weight', '8:0 1000'],
    ['io.max', `8:0 rbps=${2n ** 64n - 1n}`],
    ['io.weight', '8:0 default'],
    ['misc.max', `sev ${2n ** 64n - 1n}`],
    ['pids.max', '4194304'],
    ['rdma.max', 'mlx5_0 hca_handle=2147483647'],
  ])('takes the largest that the kernel takes: %s %s', (file, value) => {
    expect(files({ [file]: value }).slice(1)).toEqual([`${file}=${value}`])
  })
})
