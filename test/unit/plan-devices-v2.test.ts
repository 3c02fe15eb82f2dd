import { deviceProgram } from '../../src/model/devices/device-program'
import { deviceState } from '../../src/model/devices/device-state'
import { after } from '../../src/plan/after'
import type { Desired } from '../../src/plan/desired'
import { planDevicesV2 } from '../../src/plan/devices-v2'
import { formatPlan } from '../../src/plan/format-plan'
import type { Observed, ObservedCgroup, ObservedProgram, ObservedPrograms } from '../../src/plan/observed'
import { operationsOf, type Plan } from '../../src/plan/operations'
import { PlanBuilder } from '../../src/plan/plan-builder'
import { rememberedAfter, rememberedBefore } from '../../src/plan/remembered-program'
import { SimulatedKernel } from '../../src/plan/simulated-kernel'
import { rules } from '../support/device-rules'
import { desired, SANDBOX } from '../support/sandbox-states'

const NULL = rules('deny a *:* rwm', 'allow c 1:3 rw')
const ZERO = rules('deny a *:* rwm', 'allow c 1:5 rw')
const EVERYTHING = rules('allow a *:* rwm')

const nameOf = (list: typeof NULL) => deviceProgram(deviceState(list)).name
const FOREIGN: ObservedProgram = { id: 3, name: 'somebody' }
const OURS: ObservedProgram = { id: 7, name: nameOf(NULL) }
const remembered = { attached: { id: 7, name: nameOf(NULL) }, loading: null }

function attached(...programs: ObservedProgram[]): ObservedPrograms {
  return { kind: 'programs', attach: 'multi', programs }
}

function observed(own: ObservedPrograms, above: ObservedPrograms = attached()): Observed {
  const cgroup = (devicePrograms: ObservedPrograms): ObservedCgroup => ({
    owner: null,
    knobs: {},
    tids: [],
    devicePrograms,
  })
  return {
    hierarchies: [
      {
        id: 'unified',
        version: 2,
        controllers: [],
        mountPoint: '/sys/fs/cgroup',
        cgroups: { '/': cgroup(attached()), '/kata': cgroup(above), [SANDBOX]: cgroup(own) },
      },
    ],
    processes: [],
    lackedForPrograms: [],
  }
}

function plan(changes: Partial<Desired>, state: Observed): Plan {
  const builder = new PlanBuilder(state)
  builder.stage('limits')
  planDevicesV2(builder, desired(changes))
  return builder.finish('vm1')
}

const operations = (changes: Partial<Desired>, state: Observed) => operationsOf(plan(changes, state))

describe('the device program of a v2 cgroup', () => {
  it('is loaded where there is none', () => {
    expect(operations({ devices: NULL }, observed(attached()))).toEqual([
      {
        kind: 'device-program',
        hierarchy: 'unified',
        path: SANDBOX,
        program: { name: nameOf(NULL), access: deviceState(NULL), beside: [] },
        replaces: null,
      },
    ])
  })

  it('stays as it is where the rules are the same', () => {
    expect(operations({ devices: NULL, program: remembered }, observed(attached(OURS)))).toEqual([])
  })

  it('takes the place of the one before it where they have changed', () => {
    expect(operations({ devices: ZERO, program: remembered }, observed(attached(OURS)))).toEqual([
      expect.objectContaining({ program: expect.objectContaining({ name: nameOf(ZERO) }), replaces: OURS }),
    ])
  })

  it('is loaded again where somebody has taken it off', () => {
    expect(operations({ devices: NULL, program: remembered }, observed(attached(FOREIGN)))).toEqual([
      expect.objectContaining({ replaces: null }),
    ])
  })

  it.each([
    ['are no rules any more', null],
    ['is nothing held back any more', EVERYTHING],
  ])('is taken off where there %s', (_, devices) => {
    expect(operations({ devices, program: remembered }, observed(attached(FOREIGN, OURS)))).toEqual([
      { kind: 'device-program', hierarchy: 'unified', path: SANDBOX, program: null, replaces: OURS },
    ])
  })

  it('is not needed where everything is allowed', () => {
    expect(operations({ devices: EVERYTHING }, observed(attached()))).toEqual([])
  })

  it('is nobody’s business where there never were rules', () => {
    expect(operations({ devices: null }, observed(attached(FOREIGN)))).toEqual([])
    expect(operations({ devices: null }, observed({ kind: 'unreadable', errno: 1 }))).toEqual([])
  })

  it('is another’s when only its name is like ours', () => {
    const twin = { id: 8, name: nameOf(NULL) }
    expect(operations({ devices: NULL }, observed(attached(twin)))).toEqual([
      expect.objectContaining({ program: expect.objectContaining({ beside: [8] }), replaces: null }),
    ])
  })

  it('is another’s when only its id is like ours', () => {
    const successor = { id: 7, name: 'somebody' }
    expect(operations({ devices: NULL, program: remembered }, observed(attached(successor)))).toEqual([
      expect.objectContaining({ replaces: null }),
    ])
  })

  it('is known by its id alone where its name cannot be read', () => {
    const state = observed(attached({ id: 7, name: null }))
    expect(operations({ devices: NULL, program: remembered }, state)).toEqual([])
  })

  it('leaves nothing to do behind', () => {
    for (const before of [attached(), attached(FOREIGN), attached(FOREIGN, OURS)]) {
      const changes = { devices: ZERO, program: remembered }
      const settled = operations(changes, observed(before)).reduce(after, observed(before))
      expect(operations(changes, settled)).toEqual([])
    }
  })

  it('does what it is said to do', () => {
    const state = observed(attached(FOREIGN, OURS))
    const [operation] = operations({ devices: ZERO, program: remembered }, state)
    if (operation === undefined) throw new Error('nothing was planned')
    const kernel = new SimulatedKernel(state)
    expect(kernel.execute(operation).errno).toBe(0)
    expect(kernel.observe()).toEqual(after(state, operation))
    const programs = kernel.observe().hierarchies[0]?.cgroups[SANDBOX]?.devicePrograms
    expect(programs).toEqual(attached(FOREIGN, { id: 0, name: nameOf(ZERO) }))
  })
})

describe('the memory of a device program', () => {
  const fresh = operations({ devices: NULL }, observed(attached(FOREIGN)))
  const change = operations({ devices: ZERO, program: remembered }, observed(attached(OURS)))
  const removal = operations({ devices: null, program: remembered }, observed(attached(OURS)))
  const outcome = (done: typeof fresh, errno: number, programId?: number) =>
    done.map((operation) => ({ operation, errno, programId }))

  it('finds what was attached before a crash that came before its id was known', () => {
    const program = rememberedBefore(null, fresh)
    expect(program).toEqual({ attached: null, loading: { name: nameOf(NULL), beside: [3] } })
    const state = observed(attached(FOREIGN, OURS))
    expect(operations({ devices: NULL, program }, state)).toEqual([])
    expect(operations({ devices: ZERO, program }, state)).toEqual([
      expect.objectContaining({ replaces: OURS }),
    ])
  })

  it('does not take a twin of that for it which was there before', () => {
    const twin = { id: 3, name: nameOf(NULL) }
    const program = rememberedBefore(null, operations({ devices: NULL }, observed(attached(twin))))
    expect(operations({ devices: NULL, program }, observed(attached(twin)))).toEqual([
      expect.objectContaining({ replaces: null }),
    ])
    expect(operations({ devices: NULL, program }, observed(attached(twin, OURS)))).toEqual([])
  })

  it('keeps the one before until the new one is there', () => {
    const program = rememberedBefore(remembered, change)
    expect(program?.attached).toEqual(OURS)
    expect(operations({ devices: NULL, program }, observed(attached(OURS)))).toEqual([])
    const replaced = observed(attached({ id: 9, name: nameOf(ZERO) }))
    expect(operations({ devices: ZERO, program }, replaced)).toEqual([])
  })

  it('is of the new one when that is attached', () => {
    const program = rememberedAfter(rememberedBefore(remembered, change), outcome(change, 0, 9))
    expect(program).toEqual({ attached: { id: 9, name: nameOf(ZERO) }, loading: null })
  })

  it('is of the one before when the kernel refuses the new one', () => {
    expect(rememberedAfter(rememberedBefore(remembered, change), outcome(change, 1))).toEqual(remembered)
    expect(rememberedAfter(rememberedBefore(null, fresh), outcome(fresh, 1))).toBeNull()
  })

  it('ends when it is taken off', () => {
    expect(rememberedBefore(remembered, removal)).toEqual(remembered)
    expect(rememberedAfter(remembered, outcome(removal, 0))).toBeNull()
  })

  it('is not touched by other operations', () => {
    const other = [{ kind: 'remove-directory', hierarchy: 'unified', path: SANDBOX }] as const
    expect(rememberedBefore(remembered, other)).toBe(remembered)
    expect(rememberedAfter(remembered, [{ operation: other[0], errno: 0 }])).toBe(remembered)
  })
})

describe('before the first write', () => {
  const refusal = (state: Observed, changes: Partial<Desired> = { devices: NULL }): unknown => {
    try {
      plan(changes, state)
      return 'planned'
    } catch (error) {
      return error
    }
  }

  it('names the capabilities that are missing', () => {
    const state = { ...observed(attached()), lackedForPrograms: ['CAP_BPF', 'CAP_NET_ADMIN'] }
    expect(refusal(state)).toMatchObject({
      code: 'ERR_VMCG_NO_CAPABILITY',
      path: `/sys/fs/cgroup${SANDBOX}`,
      message: expect.stringContaining('lacks CAP_BPF and CAP_NET_ADMIN'),
    })
    expect(refusal({ ...state, lackedForPrograms: ['CAP_BPF'] })).toMatchObject({ value: 'CAP_BPF' })
  })

  it('names them also where not even the programs can be asked for', () => {
    const state = { ...observed({ kind: 'unreadable', errno: 1 }), lackedForPrograms: ['CAP_NET_ADMIN'] }
    expect(refusal(state)).toMatchObject({ code: 'ERR_VMCG_NO_CAPABILITY', value: 'CAP_NET_ADMIN' })
    expect(refusal({ ...state, lackedForPrograms: [] })).toMatchObject({
      code: 'ERR_VMCG_NO_CAPABILITY',
      message: expect.stringContaining('seccomp'),
    })
  })

  it('needs no capability for rules that are in force', () => {
    const state = observed(attached({ id: 7, name: null }))
    const weak = { ...state, lackedForPrograms: ['CAP_BPF'] }
    expect(operations({ devices: NULL, program: remembered }, weak)).toEqual([])
  })

  it('tells that the program of another process is out of reach without CAP_SYS_ADMIN', () => {
    const state = observed(attached({ id: 7, name: null }))
    for (const devices of [ZERO, null]) {
      expect(refusal(state, { devices, program: remembered })).toMatchObject({
        code: 'ERR_VMCG_NO_CAPABILITY',
        value: 'CAP_SYS_ADMIN',
        message: expect.stringContaining('id 7'),
      })
    }
  })

  it.each([22, 38])('tells that the kernel has no such programs (errno %i)', (errno) => {
    expect(refusal(observed({ kind: 'unreadable', errno }))).toMatchObject({
      code: 'ERR_VMCG_UNSUPPORTED',
      hint: expect.stringContaining('CGROUP_BPF'),
    })
  })

  it('tells whose place it is where another program tolerates none', () => {
    const exclusive: ObservedPrograms = { kind: 'programs', attach: 'exclusive', programs: [FOREIGN] }
    const below: ObservedPrograms = { ...exclusive, attach: 'override' }
    expect(refusal(observed(exclusive))).toMatchObject({
      code: 'ERR_VMCG_FOREIGN_PROGRAM',
      path: `/sys/fs/cgroup${SANDBOX}`,
    })
    expect(refusal(observed(below))).toMatchObject({ code: 'ERR_VMCG_FOREIGN_PROGRAM' })
    expect(refusal(observed(attached(), exclusive))).toMatchObject({
      code: 'ERR_VMCG_FOREIGN_PROGRAM',
      path: '/sys/fs/cgroup/kata',
    })
    expect(refusal(observed(attached(), below))).toBe('planned')
    expect(refusal(observed(attached(), attached(FOREIGN)))).toBe('planned')
  })

  it('tells that the kernel takes no more than 64 programs, nor one in the place of another', () => {
    const others = Array.from({ length: 63 }, (_, index) => ({ id: 100 + index, name: 'somebody' }))
    expect(refusal(observed(attached(...others)))).toBe('planned')
    const full = observed(attached(...others, OURS))
    expect(refusal(full, { devices: ZERO, program: remembered })).toMatchObject({
      code: 'ERR_VMCG_FOREIGN_PROGRAM',
      message: expect.stringContaining('64 device programs'),
    })
  })

  it('refuses what v1 cannot express either', () => {
    const devices = rules('allow c 1:* rw', 'deny c 1:3 w')
    expect(refusal(observed(attached()), { devices })).toMatchObject({ code: 'ERR_VMCG_UNSUPPORTED' })
  })
})

describe('a plan with a device program', () => {
  it('reads as what is granted', () => {
    const text = formatPlan(plan({ devices: ZERO, program: remembered }, observed(attached(OURS))))
    expect(text).toBe(
      '# vm1: limits\n' +
        `~ unified:/kata/vm1  devices c 1:5 rw (program ${nameOf(ZERO)} in place of ${nameOf(NULL)})\n`,
    )
  })

  it('reads as a removal', () => {
    const removal = plan({ devices: null, program: remembered }, observed(attached(OURS)))
    expect(formatPlan(removal)).toContain('~ unified:/kata/vm1  devices: all of them again')
    expect(formatPlan(removal, { as: 'shell' })).toContain(
      'bpftool cgroup detach /sys/fs/cgroup/kata/vm1 cgroup_device id 7\n',
    )
  })

  it('claims no shell command where there is none', () => {
    const text = formatPlan(plan({ devices: NULL }, observed(attached())), { as: 'shell' })
    expect(text.split('\n').every((line) => line === '' || line.startsWith('#'))).toBe(true)
  })
})
