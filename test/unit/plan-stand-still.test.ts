import { after } from '../../src/plan/after'
import type { Desired } from '../../src/plan/desired'
import { formatPlan } from '../../src/plan/format-plan'
import { operationsOf } from '../../src/plan/operations'
import { planSandbox } from '../../src/plan/plan-sandbox'
import { SimulatedKernel } from '../../src/plan/simulated-kernel'
import { standstillFor } from '../../src/plan/stand-still'
import { desired, hierarchy, OWNER, observed, processOf, SANDBOX } from '../support/sandbox-states'

const EVERYTHING = 'a *:* rwm'
const NULL_DEVICE = { allow: true, type: 'c', major: 1, minor: 3, access: ['r', 'w', 'm'] } as const
const INSIDE = [200, 201]

interface Situation {
  readonly list?: string
  readonly inside?: readonly number[]
  /** The threads in the freezer's cgroup; null: there is no freezer. */
  readonly held?: readonly number[] | null
  readonly state?: string
}

function stateOf({ list = EVERYTHING, inside = INSIDE, held = INSIDE, state = 'THAWED' }: Situation) {
  const devices = { owner: OWNER, tids: inside, knobs: { 'devices.list': list } }
  const freezer = { owner: OWNER, tids: held ?? [], knobs: { 'freezer.state': state } }
  const parent = { '/': { knobs: { 'devices.list': EVERYTHING } }, '/kata': {} }
  const hierarchies = [
    hierarchy('devices', { ...parent, [SANDBOX]: devices }),
    hierarchy('freezer', { '/kata': {}, [SANDBOX]: freezer }),
  ]
  return observed(held === null ? hierarchies.slice(0, 1) : hierarchies, [processOf(200, INSIDE)])
}

function planned(situation: Situation = {}, changes: Partial<Desired> = {}) {
  const wanted = desired({ hasLeaf: false, devices: [NULL_DEVICE], ...changes })
  return planSandbox(wanted, stateOf(situation))
}

const kinds = (...args: Parameters<typeof planned>) => operationsOf(planned(...args)).map(({ kind }) => kind)

const HELD = ['freeze', 'write-knob', 'write-knob', 'thaw']
const LOOSE = ['write-knob', 'write-knob']

it('freezes a cgroup with processes in it around its first device rules, and nothing else', () => {
  expect(operationsOf(planned())).toEqual([
    { kind: 'freeze', hierarchy: 'freezer', path: SANDBOX },
    expect.objectContaining({ knob: 'devices.deny', value: 'a' }),
    expect.objectContaining({ knob: 'devices.allow', value: 'c 1:3 rwm' }),
    { kind: 'thaw', hierarchy: 'freezer', path: SANDBOX },
  ])
  expect(planned().warnings).toEqual([])
})

it('finds nothing to do once that is done', () => {
  const settled = operationsOf(planned()).reduce(after, stateOf({}))
  expect(planSandbox(desired({ hasLeaf: false, devices: [NULL_DEVICE] }), settled).stages).toEqual([])
})

it('freezes nobody for rules that follow others, nor where nobody is, nor where they are frozen already', () => {
  expect(kinds({ list: 'c 5:0 rwm' })).toEqual(LOOSE)
  expect(kinds({ inside: [], held: [] })).toEqual(LOOSE)
  expect(kinds({ state: 'FROZEN' })).toEqual(LOOSE)
  expect(planned({ state: 'FROZEN' }).warnings).toEqual([])
})

it.each([
  ['there is no freezer', { held: null }, {}, 'no freezer of cgroup v1'],
  ['nobody is in the freezer’s cgroup', { held: [] }, {}, 'holds none of them'],
  ['somebody else is freezing them', { state: 'FREEZING' }, {}, 'somebody else is freezing'],
  ['this very process is inside', {}, { ownPid: 200 }, 'this very process'],
])('warns and writes all the same where %s', (_, situation, changes, why) => {
  expect(kinds(situation, changes)).toEqual(LOOSE)
  expect(planned(situation, changes).warnings).toEqual([expect.stringContaining(why)])
})

it('freezes those that it can, and names the processes that it cannot', () => {
  const plan = planned({ held: [201] })
  expect(operationsOf(plan).map(({ kind }) => kind)).toEqual(HELD)
  expect(plan.warnings).toEqual([expect.stringContaining('not in freezer:/kata/vm1 is 200')])
})

it('does not take a thread that ends between two looks for one that is not held', () => {
  expect(kinds({ inside: [...INSIDE, 202] })).toEqual(HELD)
  expect(planned({ inside: [...INSIDE, 202] }).warnings).toEqual([])
})

it('remembers what has to be allowed before they go on', () => {
  const [freeze, ...others] = operationsOf(planned())
  const writes = others.flatMap((operation) => (operation.kind === 'write-knob' ? [operation] : []))
  if (freeze?.kind !== 'freeze') throw new Error('no freeze is planned')
  expect(standstillFor(freeze, writes)).toEqual({
    freezer: 'freezer',
    hierarchy: 'devices',
    path: SANDBOX,
    allow: ['c 1:3 rwm'],
  })
})

it('shows it, to read and to run', () => {
  const directory = '/sys/fs/cgroup/freezer/kata/vm1/freezer.state'
  expect(formatPlan(planned()).split('\n')).toEqual(
    expect.arrayContaining([
      '~ freezer:/kata/vm1  freeze, for the writes that follow',
      '~ freezer:/kata/vm1  thaw',
    ]),
  )
  expect(formatPlan(planned(), { as: 'shell' }).split('\n')).toEqual(
    expect.arrayContaining([
      `echo FROZEN > ${directory}; until grep -qx FROZEN ${directory}; do sleep 0.01; done`,
      `echo THAWED > ${directory}`,
    ]),
  )
})

it('is taken by the simulated kernel, which says so', () => {
  const kernel = new SimulatedKernel(stateOf({}))
  const state = () => kernel.observe().hierarchies[1]?.cgroups[SANDBOX]?.knobs['freezer.state']
  const [freeze, ...others] = operationsOf(planned())
  if (freeze === undefined) throw new Error('nothing is planned')
  expect(kernel.execute(freeze)).toEqual({ errno: 0, ids: [] })
  expect(state()).toEqual({ kind: 'value', value: 'FROZEN' })
  for (const operation of others) kernel.execute(operation)
  expect(state()).toEqual({ kind: 'value', value: 'THAWED' })
  expect(kernel.execute({ ...freeze, path: '/gone' })).toEqual({ errno: 2, ids: [] })
})
