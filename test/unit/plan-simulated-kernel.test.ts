import { after as stateAfter } from '../../src/plan/after'
import type { Operation } from '../../src/plan/operations'
import { SimulatedKernel } from '../../src/plan/simulated-kernel'
import {
  type CgroupFields,
  hierarchy,
  observed,
  processOf,
  tidsIn,
  VCPUS,
  VMM,
  VMM_THREADS,
  vmm,
} from '../support/sandbox-states'

const ENOENT = 2
const ESRCH = 3
const EACCES = 13
const EBUSY = 16
const EEXIST = 17
const EINVAL = 22
const ENOSPC = 28

const at = (path: string, id = 'cpu') => ({ hierarchy: id, path })
const write = (path: string, knob: string, value: string): Operation => ({
  ...at(path, knob.startsWith('cpuset.') ? 'cpuset' : 'cpu'),
  kind: 'write-knob',
  knob,
  value,
  previous: null,
})

const quota = (us: string, periodUs = '100000'): CgroupFields => ({
  knobs: { 'cpu.cfs_quota_us': us, 'cpu.cfs_period_us': periodUs },
})
const cpus = (list: string, tids: readonly number[] = []): CgroupFields => ({
  tids,
  knobs: { 'cpuset.cpus': list },
})

function kernel(cgroups: Readonly<Record<string, CgroupFields>>, id = 'cpu'): SimulatedKernel {
  return new SimulatedKernel(observed([hierarchy(id, cgroups)], [vmm]))
}

it.each<[string, Record<string, CgroupFields>, Operation, number]>([
  [
    'a directory in one that is not there',
    {},
    { ...at('/a/b'), kind: 'make-directory', shared: false },
    ENOENT,
  ],
  ['a directory that is there', { '/a': {} }, { ...at('/a'), kind: 'make-directory', shared: false }, EEXIST],
  ['a shared one that is there', { '/a': {} }, { ...at('/a'), kind: 'make-directory', shared: true }, 0],
  ['a tag on nothing', {}, { ...at('/a'), kind: 'tag', attribute: 'trusted.vmcg', owner: 'n' }, ENOENT],
  ['removal of nothing', {}, { ...at('/a'), kind: 'remove-directory' }, ENOENT],
  ['removal of a parent', { '/a': {}, '/a/b': {} }, { ...at('/a'), kind: 'remove-directory' }, EBUSY],
  ['removal of a populated one', { '/a': { tids: [VMM] } }, { ...at('/a'), kind: 'remove-directory' }, EBUSY],
  [
    'removal beside one whose name begins alike',
    { '/a': {}, '/ab': {} },
    { ...at('/a'), kind: 'remove-directory' },
    0,
  ],
  ['a knob that is not there', { '/a': {} }, write('/a', 'cpu.idle', '1'), ENOENT],
  ['a knob in another hierarchy', { '/a': {} }, write('/a', 'cpuset.cpus', '1'), ENOENT],
  ['a quota below 1 ms', { '/a': {} }, write('/a', 'cpu.cfs_quota_us', '999'), EINVAL],
  ['a period below 1 ms', { '/a': {} }, write('/a', 'cpu.cfs_period_us', '999'), EINVAL],
  ['a period above 1 s', { '/a': {} }, write('/a', 'cpu.cfs_period_us', '1000001'), EINVAL],
  [
    'a quota above the parent’s',
    { '/a': quota('50000'), '/a/b': {} },
    write('/a/b', 'cpu.cfs_quota_us', '50001'),
    EINVAL,
  ],
  [
    'a quota equal to the parent’s',
    { '/a': quota('50000'), '/a/b': {} },
    write('/a/b', 'cpu.cfs_quota_us', '50000'),
    0,
  ],
  [
    'a quota above that of one further up',
    { '/a': quota('50000'), '/a/b': {}, '/a/b/c': {} },
    write('/a/b/c', 'cpu.cfs_quota_us', '50001'),
    EINVAL,
  ],
  [
    'a quota below a child’s',
    { '/a': {}, '/a/b': quota('50000') },
    write('/a', 'cpu.cfs_quota_us', '40000'),
    EINVAL,
  ],
  [
    'a period that lifts the ratio above the parent’s',
    { '/a': quota('50000'), '/a/b': quota('40000') },
    write('/a/b', 'cpu.cfs_period_us', '50000'),
    EINVAL,
  ],
  [
    'no quota below one that has one',
    { '/a': quota('50000'), '/a/b': quota('40000') },
    write('/a/b', 'cpu.cfs_quota_us', '-1'),
    0,
  ],
])('a kernel answers %s as v1 does', (_, cgroups, operation, errno) => {
  const simulated = kernel(cgroups)
  const before = simulated.observe()
  expect(simulated.execute(operation).errno).toBe(errno)
  if (errno !== 0) expect(simulated.observe()).toBe(before)
})

it.each<[string, Record<string, CgroupFields>, Operation, number]>([
  ['CPUs that the parent has not', { '/a': cpus('0-1') }, write('/a', 'cpuset.cpus', '0-4'), EACCES],
  [
    'fewer CPUs than a child',
    { '/a': cpus('0-3'), '/a/b': cpus('2') },
    write('/a', 'cpuset.cpus', '0-1'),
    EBUSY,
  ],
  ['none while threads are in it', { '/a': cpus('0', [VMM]) }, write('/a', 'cpuset.cpus', ''), ENOSPC],
  ['none while nobody is in it', { '/a': cpus('0') }, write('/a', 'cpuset.cpus', ''), 0],
])('a cpuset answers %s as v1 does', (_, cgroups, operation, errno) => {
  expect(kernel(cgroups, 'cpuset').execute(operation).errno).toBe(errno)
})

it('a cpuset echoes its list in canonical form', () => {
  const simulated = kernel({ '/a': {} }, 'cpuset')
  simulated.execute(write('/a', 'cpuset.cpus', '3,1,2'))
  expect(simulated.observe().hierarchies[0]?.cgroups['/a']?.knobs['cpuset.cpus']).toEqual({
    kind: 'value',
    value: '1-3',
  })
})

describe('a move', () => {
  it('of a process takes all of its threads, wherever they were', () => {
    const simulated = kernel({ '/a': { tids: [VMM] }, '/b': { tids: VCPUS }, '/c': {} })
    const answer = simulated.execute({ ...at('/c'), kind: 'move-process', pid: VMM })
    expect(answer).toEqual({ errno: 0, ids: [{ id: VMM, errno: 0 }] })
    expect(tidsIn(simulated.observe(), 'cpu', '/c')).toEqual(VMM_THREADS)
    expect(tidsIn(simulated.observe(), 'cpu', '/b')).toEqual([])
  })

  it('of a process that has ended is ESRCH of its id, as of a thread', () => {
    const simulated = kernel({ '/a': {} })
    expect(simulated.execute({ ...at('/a'), kind: 'move-process', pid: 404 })).toEqual({
      errno: 0,
      ids: [{ id: 404, errno: ESRCH }],
    })
    expect(simulated.execute({ ...at('/a'), kind: 'move-threads', tids: [404, 102] })).toEqual({
      errno: 0,
      ids: [
        { id: 404, errno: ESRCH },
        { id: 102, errno: 0 },
      ],
    })
    expect(tidsIn(simulated.observe(), 'cpu', '/a')).toEqual([102])
  })

  it.each<Operation>([
    { ...at('/gone'), kind: 'move-process', pid: VMM },
    { ...at('/gone'), kind: 'move-threads', tids: [VMM] },
  ])('into nothing is not tried (%j)', (operation) => {
    const simulated = kernel({ '/a': { tids: [VMM] } })
    expect(simulated.execute(operation)).toEqual({ errno: ENOENT, ids: [{ id: VMM, errno: -1 }] })
    expect(tidsIn(simulated.observe(), 'cpu', '/a')).toEqual([VMM])
  })

  it('into a cpuset that is not filled is refused', () => {
    const simulated = kernel({ '/a': cpus('') }, 'cpuset')
    expect(simulated.execute({ ...at('/a', 'cpuset'), kind: 'move-process', pid: VMM }).ids).toEqual([
      { id: VMM, errno: ENOSPC },
    ])
    expect(tidsIn(simulated.observe(), 'cpuset', '/a')).toEqual([])
  })

  it('in a hierarchy that is not there is ENOENT', () => {
    expect(kernel({}).execute({ ...at('/a', 'memory'), kind: 'remove-directory' }).errno).toBe(ENOENT)
  })
})

describe('after an operation', () => {
  const state = observed(
    [hierarchy('cpu', { '/a': { tids: [VMM] } }), hierarchy('cpuset', { '/a': {} })],
    [vmm, processOf(200)],
  )

  it('the other hierarchies are what they were', () => {
    const [, cpuset] = stateAfter(state, { ...at('/a'), kind: 'move-process', pid: 200 }).hierarchies
    expect(cpuset).toBe(state.hierarchies[1])
  })

  it.each<[string, Record<string, string>]>([
    ['cpu', { 'cpu.shares': '1024', 'cpu.cfs_quota_us': '-1', 'cpu.cfs_period_us': '100000' }],
    ['cpuset', { 'cpuset.cpus': '', 'cpuset.mems': '' }],
  ])('a new cgroup in %s has the knobs that the kernel gives it', (id, expected) => {
    const next = stateAfter(state, { ...at('/new', id), kind: 'make-directory', shared: false })
    const made = next.hierarchies.find((one) => one.id === id)?.cgroups['/new']
    expect(made).toEqual({
      owner: null,
      tids: [],
      knobs: Object.fromEntries(
        Object.entries(expected).map(([knob, value]) => [knob, { kind: 'value', value }]),
      ),
    })
  })

  it('a directory that was there already is as it was', () => {
    const next = stateAfter(state, { ...at('/a'), kind: 'make-directory', shared: true })
    expect(tidsIn(next, 'cpu', '/a')).toEqual([VMM])
  })

  it('nothing is changed in the state that was given', () => {
    const copy = structuredClone(state)
    stateAfter(state, { ...at('/a'), kind: 'tag', attribute: 'trusted.vmcg', owner: 'n' })
    stateAfter(state, { ...at('/a'), kind: 'remove-directory' })
    expect(state).toEqual(copy)
  })
})
