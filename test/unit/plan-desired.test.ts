import { sandboxPaths } from '../../src/plan/desired'
import { managedWith, managedWithoutLifted } from '../../src/plan/managed'
import { isReadAbove, neededControllers } from '../../src/plan/needed-controllers'
import { knobValue, parentPath, pathChain } from '../../src/plan/observed'
import { operationsOf } from '../../src/plan/operations'
import { planSandbox } from '../../src/plan/plan-sandbox'
import { desired, hierarchy, LEAF, observed, SANDBOX } from '../support/sandbox-states'

const inCpu = (path: string, knob: string) => ({ hierarchy: 'cpu', path, knob, value: '0' })

describe('the controllers that a sandbox needs', () => {
  const names = (...[resources, managed]: [object, ReturnType<typeof inCpu>[]]) =>
    neededControllers({ resources, managed, devices: null }).map(
      ({ name, isRequired }) => `${name}${isRequired ? '!' : ''}`,
    )

  it.each([
    ['nothing asked for', {}, [], ['cpu!', 'cpuacct']],
    ['CPUs', { cpu: { cpus: '0' } }, [], ['cpu!', 'cpuacct', 'cpuset!']],
    ['memory nodes', { cpu: { mems: '0' } }, [], ['cpu!', 'cpuacct', 'cpuset!']],
    ['an empty list', { cpu: { cpus: '' } }, [], ['cpu!', 'cpuacct']],
    ['CPUs asked for before', {}, [inCpu(LEAF, 'cpuset.cpus')], ['cpu!', 'cpuacct', 'cpuset']],
    ['a quota set before', {}, [inCpu(LEAF, 'cpu.cfs_quota_us')], ['cpu!', 'cpuacct']],
  ])('with %s', (_, resources, managed, expected) => {
    expect(names(resources, managed)).toEqual(expected)
  })
})

describe('the knobs that are read of the cgroups above, once ours are there', () => {
  it.each([
    [1, 'cpu.shares', false],
    [1, 'memory.limit_in_bytes', false],
    [1, 'cpu.cfs_quota_us', true],
    [1, 'cpuset.cpus', true],
    [1, 'devices.list', true],
    [2, 'cpu.weight', true],
    [2, 'memory.max', true],
  ] as const)('on v%s with %s: %s', (version, knob, isRead) => {
    expect(isReadAbove(version, knob)).toBe(isRead)
  })
})

describe('the knobs that vmcg answers for', () => {
  const resources = { cpu: { shares: 512, quota: 50000, period: 50000, cpus: '1' } }
  const where = desired({ resources, vcpus: [102, 103] })
  const state = observed([hierarchy('cpu'), hierarchy('cpuset')])
  const operations = operationsOf(planSandbox(where, state))

  it('are those that it writes in its own cgroups: not in the parent that others share, and not the weight of the leaf', () => {
    expect(managedWith([], operations, where).map(({ path, knob }) => `${path} ${knob}`)).toEqual([
      `${SANDBOX} cpu.shares`,
      `${LEAF} cpu.cfs_quota_us`,
      `${LEAF} cpu.cfs_period_us`,
      `${SANDBOX} cpuset.cpus`,
      `${LEAF} cpuset.cpus`,
      `${SANDBOX} cpuset.mems`,
      `${LEAF} cpuset.mems`,
    ])
  })

  it('are listed once, however often they are written', () => {
    const once = managedWith([], operations, where)
    expect(managedWith(once, operations, where)).toEqual(once)
  })

  it('are still those with the limit while it is about to be lifted: whoever lifts it may end before', () => {
    const quota = inCpu(LEAF, 'cpu.cfs_quota_us')
    const lift = { kind: 'write-knob', ...quota, value: '-1', previous: '0' } as const
    expect(managedWith([quota], [lift], where)).toEqual([quota])
    expect(managedWith([], [lift], where)).toEqual([{ ...quota, value: '-1' }])
  })

  it('are let go of once they are lifted, but cpusets', () => {
    const managed = [
      inCpu(SANDBOX, 'cpu.shares'),
      inCpu(LEAF, 'cpu.cfs_quota_us'),
      inCpu(LEAF, 'cpu.cfs_period_us'),
      inCpu(LEAF, 'cpuset.cpus'),
    ]
    expect(managedWithoutLifted(managed, desired())).toEqual([managed[3]])
    expect(managedWithoutLifted(managed, desired({ resources }))).toEqual(managed)
  })
})

describe('paths', () => {
  it('are parent, sandbox and leaf', () => {
    expect(sandboxPaths({ id: 'vm1', parent: '/kata' })).toEqual({
      parent: '/kata',
      sandbox: '/kata/vm1',
      vcpu: '/kata/vm1/vcpu',
    })
    expect(sandboxPaths({ id: 'vm1', parent: '/' }).sandbox).toBe('/vm1')
  })

  it.each([
    ['/', ['/'], '/'],
    ['/a', ['/', '/a'], '/'],
    ['/a/b', ['/', '/a', '/a/b'], '/a'],
  ])('of all above %s, and of the one above', (path, chain, parent) => {
    expect(pathChain(path)).toEqual(chain)
    expect(parentPath(path)).toBe(parent)
  })
})

it('a knob has a value only where it can be read', () => {
  const cgroup = {
    owner: null,
    tids: [],
    knobs: { read: { kind: 'value', value: '' }, blind: { kind: 'write-only' }, gone: { kind: 'absent' } },
  } as const
  expect(['read', 'blind', 'gone', 'never'].map((knob) => knobValue(cgroup, knob))).toEqual([
    '',
    undefined,
    undefined,
    undefined,
  ])
  expect(knobValue(undefined, 'read')).toBeUndefined()
})
