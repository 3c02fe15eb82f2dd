import { knobsOf } from '../../src/model/resources/knobs-of'
import { resourceWrites } from '../../src/model/resources/resource-writes'
import { bfqCases, fieldCases, REFUSALS } from '../support/resource-tables'

const DISK = { major: 8, minor: 0 }
const CASES = [...fieldCases(DISK), ...bfqCases(DISK)]

it.each(CASES)('writes to a new cgroup: $name', ({ resources, writes }) => {
  expect(resourceWrites(resources, { version: 1 })).toEqual(writes)
})

it.each(CASES)('reads what it would write: $name', ({ resources, writes }) => {
  const files = knobsOf(resources, 1).map(({ file }) => file)
  expect(files).toEqual(expect.arrayContaining(writes.map(({ file }) => file)))
})

it.each(REFUSALS)('refuses %j', (resources, code, message) => {
  expect(() => resourceWrites(resources, { version: 1 })).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  )
})

it.each([
  '{"cpu":{"shares":"512"}}',
  '{"cpu":{"cpus":3}}',
  '{"cpu":[]}',
  '{"cpu":5}',
  '{"cpu":null}',
  '{"memory":{"disableOOMKiller":1}}',
  '{"memory":{"limit":null}}',
  '{"pids":"many"}',
  '{"blockIO":{"throttleReadBpsDevice":{}}}',
  '{"blockIO":{"throttleReadBpsDevice":[5]}}',
  '{"blockIO":{"throttleReadBpsDevice":[{"rate":1}]}}',
  '{"hugepageLimits":{}}',
  '{"hugepageLimits":[{"pageSize":"2MB"}]}',
  '{"network":{"priorities":[{"name":"lo"}]}}',
  '{"rdma":{"mlx5_0":7}}',
  '{"unified":[]}',
])('refuses the wrong types of %s', (json) => {
  expect(() => resourceWrites(JSON.parse(json), { version: 1 })).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }),
  )
})

it('names field, value and what to do', () => {
  expect(() => resourceWrites({ memory: { swap: 4096 } }, { version: 1 })).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(/^memory\.swap 4096 is a limit of memory and swap together/),
      value: '4096',
      hint: 'set memory.limit as well',
    }),
  )
})

it('leaves devices to others, and takes an empty unified', () => {
  expect(resourceWrites({ devices: [{ allow: false }], unified: {} }, { version: 1 })).toEqual([])
})

it('refuses a version that is none', () => {
  const options = JSON.parse('{"version":3}')
  expect(() => resourceWrites({}, options)).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }),
  )
  expect(() => knobsOf({}, options.version)).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }),
  )
})

it('tells of what it leaves out, where that is wished', () => {
  const refusals: string[] = []
  const resources = { memory: { limit: 4096, kernel: 4096 }, unified: { 'cpu.weight': '5', 'io.max': '' } }
  const onUnsupported = ({ message }: Error) => void refusals.push(message)
  expect(resourceWrites(resources, { version: 1, onUnsupported })).toEqual([
    { controller: 'memory', file: 'memory.limit_in_bytes', value: '4096' },
  ])
  expect(refusals).toEqual([
    expect.stringMatching(/unified "cpu\.weight" is a file of cgroup v2/),
    expect.stringMatching(/unified "io\.max"/),
    expect.stringMatching(/memory\.kernel 4096/),
  ])
})
