import type { LinuxResources } from '../../src/model/generated/oci'
import type { Desired, ManagedKnob } from '../../src/plan/desired'
import { managedWith, managedWithoutLifted } from '../../src/plan/managed'
import { neededControllers, neededKnobs } from '../../src/plan/needed-controllers'
import type { ObservedHierarchy } from '../../src/plan/observed'
import { operationsOf, type WriteKnob } from '../../src/plan/operations'
import { ownCgroupsV2 } from '../../src/plan/own-cgroups-v2'
import { planSandbox } from '../../src/plan/plan-sandbox'
import { resourcesOn, type VersionOf } from '../../src/plan/versions'
import { desired, LEAF, observed, SANDBOX, vmm, withVm } from '../support/sandbox-states'
import { madeUnified, unified } from '../support/sandbox-states-v2'

/** Of what the root was asked about it has nothing: those files are below it only. */
const ASKED = [
  'memory.max',
  'memory.swap.max',
  'memory.high',
  'cpu.max.burst',
  'io.weight',
  'io.bfq.weight',
  'misc.max',
]

function newHost(): ObservedHierarchy {
  const v2 = unified()
  const absent = Object.fromEntries(ASKED.map((knob) => [knob, { kind: 'absent' } as const]))
  const root = { owner: null, tids: [], ...v2.cgroups['/'], knobs: { ...v2.cgroups['/']?.knobs, ...absent } }
  return { ...v2, controllers: [...v2.controllers, 'misc'], cgroups: { '/': root } }
}

function limits(wanted: Desired, state = observed([newHost()], [vmm])): string[] {
  return operationsOf(planSandbox(wanted, state))
    .filter((operation): operation is WriteKnob => operation.kind === 'write-knob')
    .filter(({ knob }) => !knob.startsWith('cgroup.'))
    .map(({ path, knob, value }) => `${path} ${knob} ${value}`)
}

const everywhere: VersionOf = () => 2
const hybrid: VersionOf = (controller) => {
  if (['cpu', 'cpuset', 'memory', 'blkio', 'devices'].includes(controller)) return 1
  return ['pids', 'io', 'hugetlb'].includes(controller) ? 2 : undefined
}

describe('with a leaf', () => {
  it('time and place are the vCPUs’, weight and all that counts processes the sandbox’s', () => {
    const resources: LinuxResources = {
      cpu: { shares: 512, quota: 50_000, period: 20_000, burst: 1_000, cpus: '1', mems: '0' },
      memory: { limit: 2 ** 28 },
      pids: { limit: 100 },
    }
    expect(limits(desired({ ...withVm, resources }))).toEqual([
      `${SANDBOX} cpu.weight 59`,
      `${SANDBOX} memory.max 268435456`,
      `${SANDBOX} pids.max 100`,
      `${LEAF} cpu.max 50000 20000`,
      `${LEAF} cpu.max.burst 1000`,
      `${LEAF} cpuset.cpus 1`,
      `${LEAF} cpuset.mems 0`,
      `${LEAF} cpu.weight 200`,
    ])
  })

  it('unified goes where the fields go that it stands for', () => {
    const resources = {
      cpu: { idle: 1 },
      unified: {
        'cpu.max': '5000 10000',
        'memory.high': '4096',
        'cpuset.cpus': '0',
        'cpu.weight.nice': '3',
        'cpu.max.burst': '0',
      },
    }
    expect(ownCgroupsV2(desired({ resources }), resources, true)).toEqual([
      {
        path: SANDBOX,
        resources: { cpu: { idle: 1 }, unified: { 'memory.high': '4096', 'cpu.weight.nice': '3' } },
      },
      {
        path: LEAF,
        resources: {
          cpu: {},
          unified: { 'cpu.max': '5000 10000', 'cpuset.cpus': '0', 'cpu.max.burst': '0' },
        },
      },
    ])
  })

  it.each([
    [1, []],
    [4, [`${LEAF} cpu.weight 400`]],
    [300, [`${LEAF} cpu.weight 10000`]],
  ])("it has a thread's weight for each of %d vCPUs", (count, expected) => {
    const vcpus = Array.from({ length: count }, (_, index) => 1000 + index)
    expect(limits(desired({ vcpus }), observed([madeUnified()]))).toEqual(expected)
  })
})

it('without a leaf everything is in one cgroup, unified last', () => {
  const resources = {
    cpu: { shares: 512, quota: 50_000 },
    pids: { limit: 5 },
    unified: { 'memory.high': '4096' },
  }
  expect(limits(desired({ hasLeaf: false, resources }))).toEqual([
    `${SANDBOX} cpu.weight 59`,
    `${SANDBOX} cpu.max 50000 100000`,
    `${SANDBOX} pids.max 5`,
    `${SANDBOX} memory.high 4096`,
  ])
})

it('a cgroup that is still to be made is thought to have what every kernel has, and to know every resource', () => {
  const resources = { blockIO: { weight: 500 }, unified: { 'misc.max': 'sev 3' } }
  expect(limits(desired({ hasLeaf: false, resources }))).toEqual([
    `${SANDBOX} io.weight default 4950`,
    `${SANDBOX} misc.max sev 3`,
  ])
})

describe('what was set before', () => {
  const set = (path: string, knob: string, value: string): ManagedKnob => ({
    hierarchy: 'unified',
    path,
    knob,
    value,
  })
  const made = observed([
    madeUnified({
      sandbox: { knobs: { 'cpu.weight': '59' } },
      vcpu: { knobs: { 'cpu.max': '5000 10000', 'cpu.max.burst': '0' } },
    }),
  ])
  const managed = [set(SANDBOX, 'cpu.weight', '59'), set(LEAF, 'cpu.max', '5000 10000')]

  it('is lifted where it is asked for no more, and left alone where vmcg has not set it', () => {
    expect(limits(desired({ managed }), made)).toEqual([
      `${SANDBOX} cpu.weight 100`,
      `${LEAF} cpu.max max 100000`,
    ])
    expect(limits(desired(), made)).toEqual([])
  })

  it('is answered for until then', () => {
    const wanted = desired({ managed })
    const operations = operationsOf(planSandbox(wanted, made))
    expect(managedWith(managed, operations, wanted)).toEqual(managed)
    expect(managedWithoutLifted(managed, wanted)).toEqual([])
    const asking = desired({ resources: { cpu: { shares: 512, quota: 7 } } })
    expect(managedWithoutLifted(managed, { ...asking, resources: { cpu: { shares: 512 } } })).toEqual([
      managed[0],
    ])
  })

  it('is remembered limit by limit, and on whatever knob the kernel has for it', () => {
    const io = {
      kind: 'write-knob',
      hierarchy: 'unified',
      path: SANDBOX,
      knob: 'io.max',
      value: '8:0 rbps=5 wbps=6',
      previous: '',
    } as const
    const weight = { ...io, knob: 'io.bfq.weight', value: 'default 300' }
    const reserved = { ...io, knob: 'hugetlb.2MB.rsvd.max', value: '4194304' }
    const all = managedWith([], [io, weight, reserved], desired())
    expect(all.map(({ value }) => value)).toEqual(['8:0 rbps=5', '8:0 wbps=6', 'default 300', '4194304'])
    const resources = {
      blockIO: { weight: 300, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }] },
      hugepageLimits: [{ pageSize: '2MB', limit: 4_194_304 }],
    }
    expect(managedWithoutLifted(all, desired({ resources }))).toEqual(
      all.filter(({ value }) => value !== '8:0 wbps=6'),
    )
  })

  it('is the weight of the leaf never, which follows the vCPUs', () => {
    const weight = { kind: 'write-knob', ...set(LEAF, 'cpu.weight', '200'), previous: '100' } as const
    expect(managedWith([], [weight], desired())).toEqual([])
  })
})

describe('what v2 has nothing for', () => {
  const resources = { memory: { swappiness: 5 }, pids: { limit: 5 } }

  it('is refused', () => {
    expect(() => limits(desired({ resources }))).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_UNSUPPORTED' }),
    )
  })

  it('is left out with a warning where that is wished', () => {
    const plan = planSandbox(desired({ resources, unsupported: 'warn' }), observed([unified()]))
    expect(plan.warnings).toEqual([expect.stringMatching(/vm1: memory\.swappiness 5 .*; it is left out/)])
    expect(limits(desired({ resources, unsupported: 'warn' }))).toEqual([`${SANDBOX} pids.max 5`])
  })
})

it('a limit whose controller v2 does not have is refused', () => {
  const state = observed([{ ...unified(), controllers: ['cpu'] }])
  expect(() => limits(desired({ resources: { unified: { 'memory.high': '5' } } }), state)).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_NO_CONTROLLER', value: 'memory' }),
  )
})

describe('the part of resources for one version', () => {
  const resources: LinuxResources = {
    cpu: { shares: 5, cpus: '0' },
    memory: { limit: 1 },
    pids: { limit: 1 },
    blockIO: { weight: 100 },
    network: { classID: 1 },
    unified: { 'pids.max': '1', 'memory.high': '1', 'misc.max': 'x 1' },
  }

  it('is that of the controllers that live there, and of one of both that of those that live nowhere', () => {
    const { cpu, memory, network, unified: raw } = resources
    expect(resourcesOn(1, resources, hybrid, 1)).toEqual({
      cpu,
      memory,
      network,
      unified: { 'memory.high': '1', 'misc.max': raw?.['misc.max'] },
    })
    expect(resourcesOn(2, resources, hybrid, 1)).toEqual({
      pids: { limit: 1 },
      blockIO: { weight: 100 },
      unified: { 'pids.max': '1' },
    })
  })

  it('is all or nothing where there is one version', () => {
    expect(resourcesOn(2, resources, everywhere)).toEqual(resources)
    expect(resourcesOn(1, resources, everywhere)).toEqual({})
  })

  it('tells the time of the cpu controller from the lists of the cpuset', () => {
    const versionOf: VersionOf = (controller) => (controller === 'cpuset' ? 2 : 1)
    expect(resourcesOn(1, { cpu: { shares: 5, cpus: '0' } }, versionOf)).toEqual({ cpu: { shares: 5 } })
    expect(resourcesOn(2, { cpu: { shares: 5, cpus: '0' } }, versionOf)).toEqual({ cpu: { cpus: '0' } })
  })
})

describe('what must be there and be read', () => {
  const nothing = { managed: [], devices: null }
  const names = (resources: LinuxResources, versionOf: VersionOf) =>
    neededControllers({ ...nothing, resources }, versionOf)
      .filter(({ isRequired }) => isRequired)
      .map(({ name }) => name)

  it.each<[LinuxResources, VersionOf, string[]]>([
    [{}, everywhere, ['cpu']],
    [{ cpu: { cpus: '0' }, memory: { limit: 5 } }, everywhere, ['cpu', 'cpuset', 'memory']],
    [{ blockIO: { weight: 5 } }, everywhere, ['cpu', 'io']],
    [{ blockIO: { weight: 5 } }, hybrid, ['cpu', 'io']],
    [{ blockIO: { weight: 5 } }, () => 1, ['cpu', 'blkio']],
    [{ unified: { 'misc.max': 'x 1', 'cgroup.max.depth': '5' } }, everywhere, ['cpu', 'misc']],
  ])('controllers for %j', (resources, versionOf, expected) => {
    expect(names(resources, versionOf)).toEqual(expected)
  })

  it('device rules are no controller’s on v2', () => {
    const wanted = { ...nothing, resources: {}, devices: [] }
    const onV2: VersionOf = (controller) => (controller === 'cpu' ? 2 : undefined)
    const asked = (versionOf: VersionOf) =>
      neededControllers(wanted, versionOf).some(({ name }) => name === 'devices')
    expect([asked(onV2), asked(hybrid)]).toEqual([false, true])
  })

  it('knobs of a quota, and of CPUs what the cgroup above really has', () => {
    const resources = { cpu: { quota: 5_000, cpus: '0' } }
    expect(neededKnobs({ ...nothing, resources }, everywhere)).toEqual(
      expect.arrayContaining(['cpu.max', 'cpu.max.burst', 'cpu.weight', 'cpuset.cpus.effective']),
    )
    const onV1 = neededKnobs({ ...nothing, resources }, () => 1)
    expect(onV1.filter((knob) => knob.includes('effective') || knob === 'cpu.max')).toEqual([])
  })
})
