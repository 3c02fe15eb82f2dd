import { median, ratio } from './table.mjs'

/** @import { CaseResult, TrialResult } from './trial.mjs' */

/**
 * A figure to reach: at most so many times what another driver takes, or at most so much.
 *
 * @typedef {object} Goal
 * @property {string} trial
 * @property {string} case
 * @property {string} driver
 * @property {number} atMost
 * @property {string} [than] the driver that is compared with; without one, `atMost` is in the trial's unit
 * @property {string} [thanCase] another case, of the same driver unless `than` names one
 * @property {'also'} [figure] what the trial tells beside the values
 * @property {string} [floor] the driver that does the same in C, which nobody can be faster than
 */

/** @type {readonly Goal[]} */
export const GOALS = [
  { trial: 'migrate', case: '1,000 threads, v1', driver: 'vmcg', atMost: 1.1, than: 'floor' },
  {
    trial: 'migrate',
    case: '1,000 threads, v1',
    driver: 'vmcg',
    atMost: 0.45,
    than: 'opencontainers',
    floor: 'floor',
  },
  {
    trial: 'migrate',
    case: '1,000 threads, v1',
    driver: 'vmcg',
    atMost: 0.35,
    than: 'containerd',
    floor: 'floor',
  },
  { trial: 'migrate', case: '1,000 threads, v2', driver: 'vmcg', atMost: 1.1, than: 'floor' },
  {
    trial: 'migrate',
    case: '1,000 threads, v2',
    driver: 'vmcg',
    atMost: 0.45,
    than: 'opencontainers',
    floor: 'floor',
  },
  { trial: 'migrate', case: 'the largest, v1', driver: 'vmcg', atMost: 1.2, thanCase: '1,000 threads, v1' },
  { trial: 'place', case: '64 vCPUs, warm', driver: 'vmcg-engine', atMost: 1.15, than: 'floor' },
  {
    trial: 'place',
    case: '64 vCPUs, warm',
    driver: 'vmcg-engine',
    atMost: 0.5,
    than: 'containerd',
    floor: 'floor',
  },
  {
    trial: 'place',
    case: '64 vCPUs, warm',
    driver: 'vmcg',
    atMost: 1.15,
    than: 'floor',
    floor: 'floor-careful',
  },
  {
    trial: 'place',
    case: '64 vCPUs, warm',
    driver: 'vmcg',
    atMost: 0.5,
    than: 'containerd',
    floor: 'floor-careful',
  },
  { trial: 'adopt', case: '100 VMs', driver: 'vmcg', atMost: 1.3, than: 'floor', floor: 'floor-careful' },
  {
    trial: 'adopt',
    case: '100 VMs',
    driver: 'vmcg',
    atMost: 0.75,
    than: 'containerd',
    floor: 'floor-careful',
  },
  {
    trial: 'launch',
    case: '7 hierarchies',
    driver: 'vmcg',
    atMost: 0.25,
    than: 'floor-outside',
    floor: 'floor-helper',
  },
  {
    trial: 'launch',
    case: '7 hierarchies',
    driver: 'vmcg',
    atMost: 1.5,
    than: 'floor',
    floor: 'floor-helper',
  },
  { trial: 'loop', case: '500 VMs', driver: 'vmcg', atMost: 3_000 },
  { trial: 'loop', case: '500 VMs', driver: 'vmcg', atMost: 0.01, than: 'node-fs' },
  {
    trial: 'stats',
    case: '1,000 sandboxes',
    driver: 'vmcg',
    atMost: 0.25,
    than: 'containerd',
    floor: 'floor',
  },
  { trial: 'stats', case: '1,000 sandboxes', driver: 'vmcg', atMost: 1.3, than: 'floor' },
  { trial: 'memory', case: 'the largest, idle', driver: 'vmcg', atMost: 8_192 },
  { trial: 'memory', case: 'the largest, idle', driver: 'vmcg', atMost: 4, figure: 'also' },
  { trial: 'start', case: 'one line', driver: 'vmcg', atMost: 1.35, than: 'bare-node' },
]

/** The case of this name; `the largest, <series>` is that of the most that the host had room for. */
const LARGEST = 'the largest, '

/**
 * @param {TrialResult} trial
 * @param {string} name
 * @returns {CaseResult | undefined}
 */
function caseOf({ cases }, name) {
  if (!name.startsWith(LARGEST)) return cases.find((one) => one.name === name)
  const series = name.slice(LARGEST.length)
  return cases.filter((one) => one.series === series).toSorted((a, b) => b.size - a.size)[0]
}

/**
 * @param {Goal} goal
 * @param {TrialResult} trial
 * @returns {number | undefined} undefined where something of it was not measured
 */
function reached(goal, trial) {
  const results = caseOf(trial, goal.case)?.results ?? []
  const values = results.find(({ name }) => name === goal.driver)?.[goal.figure ?? 'values']
  if (goal.thanCase !== undefined) {
    const other = caseOf(trial, goal.thanCase)
    const than = other?.results.find(({ name }) => name === goal.driver)
    // A host without room for more has nothing to compare with.
    if (values === undefined || than === undefined || other === caseOf(trial, goal.case)) return undefined
    return median(values) / median(than.values)
  }
  if (goal.than !== undefined) return ratio(results, goal.driver, goal.than)
  return values === undefined ? undefined : median(values)
}

/** @param {number} part of what it may be */
function outcomeOf(part) {
  if (part <= 1) return 'reached'
  return part < 2 ? `missed by ${Math.ceil((part - 1) * 100)} %` : `missed: ${part.toFixed(1)} times that`
}

/**
 * `floor` is what the same takes in C, where something does the same.
 *
 * @typedef {{ text: string, atMost: string, value: string, floor: string, outcome: string }} GoalOutcome
 */

/**
 * How each goal came out whose trial was measured.
 *
 * @param {readonly TrialResult[]} trials
 * @returns {GoalOutcome[]}
 */
export function goalOutcomes(trials) {
  return GOALS.flatMap((goal) => {
    const trial = trials.find(({ name }) => name === goal.trial)
    const value = trial && reached(goal, trial)
    if (trial === undefined || value === undefined) return []
    const floor = goal.floor === undefined ? undefined : reached({ ...goal, driver: goal.floor }, trial)
    const than = goal.than ?? goal.thanCase
    const unit = goal.figure === 'also' ? trial.also : trial.unit
    const show = (/** @type {number} */ number) =>
      than === undefined
        ? `${Math.round(number).toLocaleString('en')} ${unit}`
        : `${number.toFixed(2)} × ${than}`
    return {
      text: `${goal.trial}, ${goal.case}: ${goal.driver}`,
      atMost: show(goal.atMost),
      value: show(value),
      floor: floor === undefined ? '' : show(floor),
      outcome: outcomeOf(value / goal.atMost),
    }
  })
}

/**
 * @param {readonly TrialResult[]} trials
 * @returns {string} a line per goal; empty where none was measured
 */
export function formatGoals(trials) {
  return goalOutcomes(trials)
    .map(({ text, atMost, value, outcome }) => `goal: ${text} at most ${atMost}; is ${value}: ${outcome}`)
    .join('\n')
}
