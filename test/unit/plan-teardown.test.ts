import type { Observed } from '../../src/plan/observed'
import { operationsOf } from '../../src/plan/operations'
import { limitedThreads, type Origins, originPaths, planTeardown } from '../../src/plan/teardown'
import {
  desired,
  hierarchy,
  LEAF,
  madeHierarchy,
  OWNER,
  observed,
  processOf,
  SANDBOX,
  VCPUS,
  VMM,
  VMM_THREADS,
  vmm,
} from '../support/sandbox-states'

const UNKNOWN = 999

function steps(state: Observed, origins: Origins = new Map(), claimed: readonly string[] = []): string[] {
  return operationsOf(planTeardown(desired({ claimed }), state, origins)).map((operation) => {
    const where = `${operation.hierarchy}:${operation.path}`
    return operation.kind === 'move-threads'
      ? `${operation.tids.join(' ')} to ${where}`
      : `${operation.kind} ${where}`
  })
}

const full = (id: string) => madeHierarchy(id, { sandbox: { tids: [VMM, 101] }, vcpu: { tids: VCPUS } })
const withOrigin = (id: string) => {
  const made = full(id)
  return { ...made, cgroups: { ...made.cgroups, ...hierarchy(id, { '/session': {} }).cgroups } }
}

it('gives every thread back to where its process came from, and removes from the leaf up', () => {
  const origins = new Map([[VMM, { cpu: '/session' }]])
  expect(steps(observed([withOrigin('cpu')], [vmm]), origins)).toEqual([
    '102 103 to cpu:/session',
    '100 101 to cpu:/session',
    `remove-directory cpu:${LEAF}`,
    `remove-directory cpu:${SANDBOX}`,
  ])
})

it('drains all hierarchies before it removes anything', () => {
  const plan = planTeardown(desired(), observed([full('cpu'), full('cpuacct')], [vmm]), new Map())
  expect(plan.stages.map(({ name, operations }) => [name, operations.length])).toEqual([
    ['drain', 4],
    ['removal', 4],
  ])
})

it.each<[string, Origins, number[]]>([
  ['whose origin is not known', new Map(), VMM_THREADS],
  ['whose origin in this hierarchy is not known', new Map([[VMM, { cpuset: '/session' }]]), VMM_THREADS],
  ['whose origin has gone', new Map([[VMM, { cpu: '/gone' }]]), VMM_THREADS],
  ['of a process that is not remembered', new Map([[999, { cpu: '/session' }]]), []],
])('gives threads %s to the parent', (_, origins, tids) => {
  const state = observed([withOrigin('cpu')], tids.length === 0 ? [] : [processOf(VMM, tids)])
  expect(steps(state, origins).slice(0, 2)).toEqual(['102 103 to cpu:/kata', '100 101 to cpu:/kata'])
})

it('parts the threads of one cgroup by where they came from', () => {
  const state = madeHierarchy('cpu', { sandbox: { tids: [VMM, UNKNOWN, 101] } })
  const cgroups = { ...state.cgroups, ...hierarchy('cpu', { '/session': {} }).cgroups }
  expect(steps(observed([{ ...state, cgroups }], [vmm]), new Map([[VMM, { cpu: '/session' }]]))).toEqual([
    '100 101 to cpu:/session',
    '999 to cpu:/kata',
    `remove-directory cpu:${LEAF}`,
    `remove-directory cpu:${SANDBOX}`,
  ])
})

it('gives a thread that was put in by hand back to where that one came from', () => {
  const threadOrigins = new Map([[103, { cpu: '/session' }]])
  const { stages } = planTeardown(desired(), observed([withOrigin('cpu')], []), new Map(), { threadOrigins })
  expect(stages[0]?.operations).toMatchObject([
    { path: '/kata', tids: [102] },
    { path: '/session', tids: [103] },
    { path: '/kata', tids: [100, 101] },
  ])
})

it('removes what a crash has left half-made', () => {
  const cpu = hierarchy('cpu', { '/kata': {}, [SANDBOX]: {} })
  expect(steps(observed([cpu]), new Map(), ['cpu'])).toEqual([`remove-directory cpu:${SANDBOX}`])
})

it('has nothing to do where nothing is', () => {
  expect(steps(observed([hierarchy('cpu')]))).toEqual([])
})

it.each([
  ['of another', { owner: 'another' }],
  ['without a tag and with threads', { tids: [UNKNOWN] }],
])('touches nothing when a directory in its place is %s', (_, fields) => {
  const cpu = hierarchy('cpu', { '/kata': {}, [SANDBOX]: fields })
  expect(() => steps(observed([cpu]), new Map(), ['cpu'])).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_FOREIGN_CGROUP' }),
  )
})

it('wants those cgroups observed that processes came from', () => {
  const origins = [{ cpu: '/session', cpuset: '/' }, { cpu: '/session' }, { cpu: '/other' }]
  expect(originPaths(origins, 'cpu')).toEqual(['/session', '/other'])
  expect(originPaths(origins, 'cpuset')).toEqual(['/'])
  expect(originPaths(origins, 'memory')).toEqual([])
})

describe('the threads that run without a limit afterwards', () => {
  it.each([
    ['those under a quota', 'cpu', { 'cpu.cfs_quota_us': '50000' }, VCPUS],
    ['none without a quota', 'cpu', {}, []],
    ['those under a narrower cpuset', 'cpuset', { 'cpuset.cpus': '1' }, VCPUS],
    ['none under the cpuset of the sandbox', 'cpuset', {}, []],
    ['none in a hierarchy without limits', 'cpuacct', {}, []],
  ])('are %s', (_, id, knobs, expected) => {
    const state = observed([madeHierarchy(id, { vcpu: { tids: VCPUS, knobs } })])
    expect(limitedThreads(desired(), state)).toEqual(expected)
  })

  it('are counted once over all hierarchies', () => {
    const state = observed([
      madeHierarchy('cpu', { vcpu: { tids: VCPUS, knobs: { 'cpu.cfs_quota_us': '50000' } } }),
      madeHierarchy('cpuset', { vcpu: { tids: VCPUS, knobs: { 'cpuset.cpus': '1' } } }),
    ])
    expect(limitedThreads(desired(), state)).toEqual(VCPUS)
  })
})

it('counts all threads of a cgroup without a leaf as limited where vmcg has set a limit, and no others', () => {
  const pids = hierarchy('pids', { '/kata': {}, [SANDBOX]: { owner: OWNER, tids: [100, 101] } })
  const managed = (value: string) => [{ hierarchy: 'pids', path: SANDBOX, knob: 'pids.max', value }]
  const limited = (value: string) =>
    limitedThreads(desired({ hasLeaf: false, managed: managed(value) }), observed([pids]))
  expect(limited('9')).toEqual([100, 101])
  expect(limited('max')).toEqual([])
})
