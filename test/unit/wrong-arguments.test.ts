import * as vmcg from '../../src'
import { callAny, type Sink, sinksOf, strayErrors } from '../support/wrong-arguments'

const EXPORTS: ReadonlyMap<string, unknown> = new Map(Object.entries(vmcg))

const PLAN = { sandbox: 'vm1', mounts: {}, stages: [], warnings: [] }
const CONTAINER = { id: 'web', spec: {} }
const SECTIONS = [
  ...['cpu', 'memory', 'pids', 'blockIO', 'hugepageLimits'],
  ...['network', 'rdma', 'devices', 'unified'],
]
const SILENT = { logger: { warn() {} } }

/** A function of the package, arguments that work, and the members of the last of them. */
const CALLS: readonly (readonly [string, readonly unknown[], readonly string[]])[] = [
  ['blkioWeightToIoWeight', [500], []],
  ['cpuSharesToWeight', [1024], []],
  ['detectHost', [{}], []],
  ['formatCpuList', [[0]], []],
  ['formatPlan', [PLAN, {}], ['as', 'color']],
  ['formatPlan', [PLAN], ['sandbox', 'mounts', 'stages', 'warnings']],
  ['hypervisorDevices', [SILENT], ['deviceMapper', 'paths', 'logger']],
  ['isSystemdCgroupPath', ['a.slice:b:c'], []],
  ['isVmcgError', [new Error('not ours')], []],
  ['knobsOf', [{}, 1, []], []],
  ['mergeCpu', [[{}], {}], ['unlimited']],
  ['mergeResources', [[CONTAINER], {}], ['unlimited', 'memoryOverheadBytes']],
  ['normalizeCgroupPath', ['/pods/vm', {}], ['systemd']],
  ['parseCpuList', ['0-3'], []],
  ['resourceWrites', [{}, { version: 1 }], ['version', 'observed', 'previous', 'pageSize']],
  ['swapLimitV2', [1024, 2048], []],
  ['systemdUnit', ['a.slice:b:c'], []],
]

const members = (name: string, wrap: (member: string, value: unknown) => unknown): readonly Sink[] =>
  SECTIONS.map((member) => ({ name: `${name}, ${member}`, pass: (value) => wrap(member, value) }))

const sinks: readonly Sink[] = [
  ...CALLS.flatMap(([name, right, options]) =>
    sinksOf(name, (args) => callAny(EXPORTS.get(name), args), right, options),
  ),
  ...members('resourceWrites', (member, value) =>
    callAny(vmcg.resourceWrites, [{ [member]: value }, { version: 1 }]),
  ),
  ...members('knobsOf', (member, value) => callAny(vmcg.knobsOf, [{ [member]: value }, 1])),
  ...['id', 'annotations', 'spec'].map((member) => ({
    name: `mergeResources, ${member} of a container`,
    pass: (value: unknown) => callAny(vmcg.mergeResources, [[{ ...CONTAINER, [member]: value }]]),
  })),
]

it.each(sinks.map((sink) => [sink.name, sink] as const))(
  'whatever is wrong is told by an error of vmcg: %s',
  async (_, sink) => {
    expect(await strayErrors(sink)).toEqual({})
  },
)

it('looks at every function that is exported', () => {
  const functions = [...EXPORTS]
    .filter(([name, value]) => typeof value === 'function' && /^[a-z]/.test(name))
    .map(([name]) => name)
  expect(functions.sort()).toEqual([...new Set(CALLS.map(([name]) => name))].sort())
})

it.each([
  [() => callAny(vmcg.parseCpuList, [5]), 'a CPU list must be a string, not 5'],
  [() => callAny(vmcg.formatCpuList, [{}]), 'cpus must be a list, not an object'],
  [() => callAny(vmcg.formatPlan, [null]), 'a plan must be what plan() resolved with, not null'],
  [() => callAny(vmcg.detectHost, [[]]), 'options must be an object, not a list'],
  [() => callAny(vmcg.mergeResources, [[null]]), 'a container must be an object, not null'],
])('says what is wanted, and what came: %#', (call, message) => {
  expect(call).toThrow(expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT', message }))
})
