import type { Desired } from '../../src/plan/desired'
import { operationsOf, type WriteKnob } from '../../src/plan/operations'
import { planSandbox } from '../../src/plan/plan-sandbox'
import {
  type CgroupFields,
  desired,
  hierarchy,
  LEAF,
  madeHierarchy,
  observed,
  SANDBOX,
} from '../support/sandbox-states'

function writes(wanted: Desired, ...hierarchies: Parameters<typeof observed>[0]): string[] {
  return operationsOf(planSandbox(wanted, observed(hierarchies)))
    .filter((operation): operation is WriteKnob => operation.kind === 'write-knob')
    .map(({ path, knob, value }) => `${path} ${knob} ${value}`)
}

describe('weights', () => {
  it.each([
    ['what the containers ask for', 2048, '2048'],
    ['no less than the kernel takes', 1, '2'],
    ['no more than the kernel takes', 300_000, '262144'],
  ])('give the sandbox %s', (_, shares, value) => {
    const wanted = desired({ resources: { cpu: { shares } } })
    expect(writes(wanted, madeHierarchy('cpu'))).toEqual([`${SANDBOX} cpu.shares ${value}`])
  })

  it.each([
    [1, []],
    [4, [`${LEAF} cpu.shares 4096`]],
    [300, [`${LEAF} cpu.shares 262144`]],
  ])("give the leaf of %d vCPUs a thread's weight for each", (count, expected) => {
    const vcpus = Array.from({ length: count }, (_, index) => 1000 + index)
    expect(writes(desired({ vcpus }), madeHierarchy('cpu'))).toEqual(expected)
  })

  it('follow the number of vCPUs both ways', () => {
    const three = madeHierarchy('cpu', { vcpu: { knobs: { 'cpu.shares': '3072' } } })
    expect(writes(desired({ vcpus: [1, 2] }), three)).toEqual([`${LEAF} cpu.shares 2048`])
    expect(writes(desired({ vcpus: [1, 2, 3, 4] }), three)).toEqual([`${LEAF} cpu.shares 4096`])
  })

  it('go back to the default when they are asked for no more, and only where vmcg has set them', () => {
    const cpu = madeHierarchy('cpu', { sandbox: { knobs: { 'cpu.shares': '500' } } })
    const managed = [{ hierarchy: 'cpu', path: SANDBOX, knob: 'cpu.shares', value: '512' }]
    expect(writes(desired({ managed }), cpu)).toEqual([`${SANDBOX} cpu.shares 1024`])
    expect(writes(desired(), cpu)).toEqual([])
    expect(
      writes(
        desired({ managed: [{ hierarchy: 'cpu', path: LEAF, knob: 'cpu.shares', value: '4096' }] }),
        cpu,
      ),
    ).toEqual([])
  })
})

describe('quota and period', () => {
  const QUOTA = 'cpu.cfs_quota_us'
  const PERIOD = 'cpu.cfs_period_us'
  const pair = (quota: number, period: number): CgroupFields => ({
    knobs: { [QUOTA]: String(quota), [PERIOD]: String(period) },
  })
  const asking = (quota: number, period: number) => desired({ resources: { cpu: { quota, period } } })

  it.each([
    ['the quota alone when the period stays', pair(50000, 100000), [70000, 100000], [`${QUOTA} 70000`]],
    [
      'the period first when it grows',
      pair(10000, 10000),
      [100000, 100000],
      [`${PERIOD} 100000`, `${QUOTA} 100000`],
    ],
    [
      'the quota first when the period shrinks',
      pair(100000, 100000),
      [10000, 10000],
      [`${QUOTA} 10000`, `${PERIOD} 10000`],
    ],
    [
      'the quota first, under the longer period, where there is none yet',
      pair(-1, 100000),
      [20000, 50000],
      [`${QUOTA} 20000`, `${PERIOD} 50000`],
    ],
    ['the period alone when the quota stays', pair(50000, 50000), [50000, 100000], [`${PERIOD} 100000`]],
    ['nothing when both are right', pair(50000, 100000), [50000, 100000], []],
    [
      'a pair that the kernel takes in place of one that it does not',
      pair(-1, 100000),
      [500, 100000],
      [`${PERIOD} 200000`, `${QUOTA} 1000`],
    ],
  ] as const)('write %s', (_, vcpu, [quota, period], expected) => {
    expect(writes(asking(quota, period), madeHierarchy('cpu', { vcpu }))).toEqual(
      expected.map((write) => `${LEAF} ${write}`),
    )
  })

  it('are written in the leaf, never in the sandbox, which holds the VMM', () => {
    expect(writes(asking(50000, 100000), madeHierarchy('cpu'))).toEqual([`${LEAF} ${QUOTA} 50000`])
  })

  it('are lifted when they are asked for no more, and only where vmcg has set them', () => {
    const cpu = madeHierarchy('cpu', { vcpu: pair(50000, 100000) })
    const managed = [{ hierarchy: 'cpu', path: LEAF, knob: QUOTA, value: '50000' }]
    expect(writes(desired({ managed }), cpu)).toEqual([`${LEAF} ${QUOTA} -1`])
    expect(writes(desired(), cpu)).toEqual([])
    expect(
      writes(
        desired({ managed: [{ hierarchy: 'cpuset', path: LEAF, knob: 'cpuset.cpus', value: '0' }] }),
        cpu,
      ),
    ).toEqual([])
  })

  const ours = (knob: string, value: string) => ({ hierarchy: 'cpu', path: LEAF, knob, value })

  it('are lifted together: the next quota without a period is one per 100 ms again', () => {
    const cpu = madeHierarchy('cpu', { vcpu: pair(5000, 10000) })
    const managed = [ours(QUOTA, '5000'), ours(PERIOD, '10000')]
    // The quota first: a longer period under the old quota could fall below a child's share.
    expect(writes(desired({ managed }), cpu)).toEqual([`${LEAF} ${QUOTA} -1`, `${LEAF} ${PERIOD} 100000`])
    expect(writes(desired({ managed, resources: { cpu: { quota: 8000 } } }), cpu)).toEqual([
      `${LEAF} ${PERIOD} 100000`,
      `${LEAF} ${QUOTA} 8000`,
    ])
  })

  it('do not lift the period from beside a quota that somebody else has set', () => {
    const managed = [ours(PERIOD, '10000')]
    expect(writes(desired({ managed }), madeHierarchy('cpu', { vcpu: pair(5000, 10000) }))).toEqual([])
    expect(writes(desired({ managed }), madeHierarchy('cpu', { vcpu: pair(-1, 10000) }))).toEqual([
      `${LEAF} ${PERIOD} 100000`,
    ])
  })

  it('remember the former value, for the diff and the way back', () => {
    const plan = planSandbox(
      asking(70000, 100000),
      observed([madeHierarchy('cpu', { vcpu: pair(50000, 100000) })]),
    )
    expect(operationsOf(plan)).toEqual([
      expect.objectContaining({ knob: QUOTA, previous: '50000', value: '70000' }),
    ])
  })

  it('are refused when no pair of the kernel has their ratio', () => {
    expect(() => planSandbox(asking(1, 1_000_000), observed([madeHierarchy('cpu')]))).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_OUT_OF_RANGE' }),
    )
  })
})

describe('cpusets', () => {
  const empty: CgroupFields = { knobs: { 'cpuset.cpus': '', 'cpuset.mems': '' } }

  it('are filled from the root down, and the leaf with what is asked for', () => {
    const wanted = desired({ resources: { cpu: { cpus: '1,2', mems: '0' } } })
    expect(writes(wanted, hierarchy('cpuset'))).toEqual([
      '/kata cpuset.cpus 0-3',
      `${SANDBOX} cpuset.cpus 0-3`,
      `${LEAF} cpuset.cpus 1-2`,
      '/kata cpuset.mems 0',
      `${SANDBOX} cpuset.mems 0`,
      `${LEAF} cpuset.mems 0`,
    ])
  })

  it('fill a parent that is there and empty, which takes no thread', () => {
    expect(writes(desired({ parent: '/a/b' }), hierarchy('cpuset', { '/a': empty, '/a/b': empty }))).toEqual([
      '/a cpuset.cpus 0-3',
      '/a/b cpuset.cpus 0-3',
      '/a/b/vm1 cpuset.cpus 0-3',
      '/a/b/vm1/vcpu cpuset.cpus 0-3',
      '/a cpuset.mems 0',
      '/a/b cpuset.mems 0',
      '/a/b/vm1 cpuset.mems 0',
      '/a/b/vm1/vcpu cpuset.mems 0',
    ])
  })

  it("leave a parent's own choice alone and stay within it", () => {
    const cpuset = hierarchy('cpuset', { '/kata': { knobs: { 'cpuset.cpus': '2-3' } } })
    expect(writes(desired({ resources: { cpu: { cpus: '3' } } }), cpuset)).toEqual([
      `${SANDBOX} cpuset.cpus 2-3`,
      `${LEAF} cpuset.cpus 3`,
      `${SANDBOX} cpuset.mems 0`,
      `${LEAF} cpuset.mems 0`,
    ])
  })

  it('widen the sandbox before its leaf, after a CPU was offline for a while', () => {
    const shrunk = { knobs: { 'cpuset.cpus': '0-1' } }
    const cpuset = madeHierarchy('cpuset', { sandbox: shrunk, vcpu: shrunk })
    expect(writes(desired(), cpuset)).toEqual([`${SANDBOX} cpuset.cpus 0-3`, `${LEAF} cpuset.cpus 0-3`])
  })

  it('give the leaf all of the sandbox when no CPUs are asked for any more', () => {
    const cpuset = madeHierarchy('cpuset', { vcpu: { knobs: { 'cpuset.cpus': '1' } } })
    const wanted = desired({ resources: { cpu: { cpus: '' } } })
    expect(writes(wanted, cpuset)).toEqual([`${LEAF} cpuset.cpus 0-3`])
  })

  it('take a list that only looks different for the same', () => {
    const cpuset = madeHierarchy('cpuset', { vcpu: { knobs: { 'cpuset.cpus': '1-3' } } })
    expect(writes(desired({ resources: { cpu: { cpus: '3,1,2' } } }), cpuset)).toEqual([])
  })

  it.each([
    ['CPUs', { cpus: '2-5' }, 'cpuset.cpus', '2-5', '0-3'],
    ['memory nodes', { mems: '1' }, 'cpuset.mems', '1', '0'],
  ])('refuse %s that the parent does not have', (_, cpu, knob, value, available) => {
    const plan = () => planSandbox(desired({ resources: { cpu } }), observed([hierarchy('cpuset')]))
    expect(plan).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_OUT_OF_RANGE',
        value,
        message: expect.stringMatching(`${knob}.*/kata has only ${available}`),
      }),
    )
  })
})

it('writes each knob in the hierarchy that has its controller, also where several share one', () => {
  const wanted = desired({ resources: { cpu: { shares: 512, cpus: '0' } } })
  const plan = planSandbox(wanted, observed([madeHierarchy('cpu,cpuset'), madeHierarchy('cpuacct')]))
  expect(operationsOf(plan).map(({ hierarchy: id, path }) => `${id} ${path}`)).toEqual([
    `cpu,cpuset ${SANDBOX}`,
    `cpu,cpuset ${LEAF}`,
  ])
})
