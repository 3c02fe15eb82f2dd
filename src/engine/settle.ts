import { isDeepStrictEqual } from 'node:util'
import { CgroupError, isVmcgError, VmcgError } from '../errors'
import { type Desired, sandboxPaths } from '../plan/desired'
import { isForeseen } from '../plan/foresight'
import type { Observed } from '../plan/observed'
import { knobValue } from '../plan/observed'
import type { Operation, Plan, Stage, WriteKnob } from '../plan/operations'
import { isEmptyPlan, operationsOf } from '../plan/operations'
import { type PlanAhead, planAhead } from '../plan/plan-sandbox'
import type { OperationOutcome, StageExecutor } from './execute'
import { explain } from './explain'
import type { SubmitOptions } from './lane'
import { Ledger } from './ledger'
import { lookAfter } from './look-after'
import type { Report } from './report'
import { runStages } from './run-stages'
import type { Identify } from './strangers'

/** One look at the sandbox: what is wanted of it, and what the kernel says. */
export interface Look {
  readonly desired: Desired
  readonly observed: Observed
  /** vCPU threads that the hypervisor reports and the kernel does not have. */
  readonly missing: readonly number[]
}

/** @param isBrief the ids of threads will do. @default false */
export type SettleLook = (isBrief?: boolean) => Promise<Look>

export interface SettleOptions extends SubmitOptions {
  /** Carry out exactly this plan, or refuse with `ERR_VMCG_PLAN_STALE`. */
  readonly plan?: Plan | undefined
  /** Tells who has an id after it was written. @default nobody is asked, as for a simulated kernel */
  readonly identify?: Identify | undefined
}

const MAX_ROUNDS = 5
/** The second is for what somebody else has written between the first and the look. */
const MAX_WRITES = 2

/**
 * Observe, plan, execute, and look again until a look finds nothing amiss, at most five times: threads are born and
 * die meanwhile, and somebody else may write. Threads that are not placed then are in the report; a limit that is not
 * in force is an error.
 *
 * @throws the first refusal of the kernel; the limits that were written before it in its stage are taken back. What the
 *   executor and a later look throw. Each with the report of what was done till then. `ERR_VMCG_PLAN_STALE`;
 *   `ERR_VMCG_VERIFY` for a knob that reads differently from what was written twice, or at the last look. What planning
 *   throws.
 */
export async function settle(
  look: SettleLook,
  execute: StageExecutor,
  options: SettleOptions,
): Promise<Report> {
  const first = await look()
  const ledger = new Ledger(sandboxPaths(first.desired).vcpu)
  const planned = (seen: Look, foreseenBy?: Plan): PlannedLook => {
    ledger.addLook(seen.missing)
    return foreseenBy !== undefined
      ? { ...seen, plan: Object.freeze({ ...foreseenBy, stages: NO_STAGES }), expected: seen.observed }
      : { ...seen, ...planAhead(seen.desired, seen.observed) }
  }
  let now = planned(first)
  refuseStale(options.plan, now.plan)
  let isRetried = false
  for (let round = 1; round <= MAX_ROUNDS && !isEmptyPlan(now.plan); round += 1) {
    refuseUnkept(ledger, now.plan, now.observed, MAX_WRITES)
    const before = now
    const tell = (error: unknown): never => {
      if (isVmcgError(error) && error.report === undefined)
        Object.assign(error, { report: ledger.report(before.plan) })
      throw error
    }
    ledger.addPlan(before.plan)
    const { plan, observed } = before
    const { failed, outcomes } = await runStages(plan, observed, execute, ledger, options).catch(tell)
    const lookNext = () => nextLook(look, failed === undefined ? before : undefined)
    const putBack = {
      identify: options.identify,
      onPutBack: (done: readonly OperationOutcome[]) => ledger.addPutBack(done),
    }
    const seen = await lookAfter({ plan, observed, outcomes }, lookNext, execute, putBack).catch(tell)
    now = planned(seen, seen.isForeseen ? plan : undefined)
    if (failed !== undefined) {
      // Somebody else may have written in between: worth one more try, unless a fresh look gives the same stage again.
      const isSame = isDeepStrictEqual(stageNamed(now.plan, failed.stage.name), failed.stage)
      if (isRetried || isSame || round === MAX_ROUNDS) {
        const error = explain(failed.outcome, before.plan, before.observed)
        throw Object.assign(error, { report: ledger.report(now.plan) })
      }
      isRetried = true
    } else if (isStuck(ledger, before.plan, now.plan)) {
      break
    }
  }
  refuseUnkept(ledger, now.plan, now.observed, 0)
  return ledger.report(now.plan)
}

type PlannedLook = Look & PlanAhead

/**
 * The look after a plan was carried out: a brief one first, which will do where it finds just what was expected. What it
 * does not, no plan is made from.
 *
 * @param before undefined: there is nothing to be expected.
 */
async function nextLook(
  look: SettleLook,
  before: PlannedLook | undefined,
): Promise<Look & { readonly isForeseen: boolean }> {
  if (before !== undefined) {
    const brief = await look(true)
    const expected = { desired: before.desired, observed: before.expected }
    if (brief.missing.length === 0 && isForeseen(expected, brief)) return { ...brief, isForeseen: true }
  }
  return { ...(await look()), isForeseen: false }
}

const NO_STAGES: readonly Stage[] = Object.freeze([])

function refuseStale(given: Plan | undefined, current: Plan): void {
  if (given === undefined) return
  if (given.sandbox === current.sandbox && isDeepStrictEqual(given.stages, current.stages)) return
  throw new VmcgError(
    'ERR_VMCG_PLAN_STALE',
    `${current.sandbox}: the plan no longer fits; threads, limits or what is asked for have changed since it was made`,
    { hint: 'call plan() again and apply that one' },
  )
}

/** Not a state that is to be kept: threads come and go, and a freeze is for some writes only. */
const PASSING: readonly Operation['kind'][] = ['move-process', 'move-threads', 'freeze', 'thaw']

/** Throws for what is amiss though it was written `times` times or more. */
function refuseUnkept(ledger: Ledger, plan: Plan, observed: Observed, times: number): void {
  for (const operation of operationsOf(plan)) {
    if (PASSING.includes(operation.kind)) continue
    const done = ledger.timesDone(operation)
    if (done < times) continue
    const directory = `${plan.mounts[operation.hierarchy] ?? ''}${operation.path}`
    const { path, value, amiss } =
      operation.kind === 'write-knob'
        ? {
            path: `${directory}/${operation.knob}`,
            value: operation.value,
            amiss: `should read ${operation.value} and reads ${readKnob(observed, operation) ?? 'nothing'}`,
          }
        : { path: directory, value: undefined, amiss: 'is not there as it was made' }
    throw new CgroupError(
      'ERR_VMCG_VERIFY',
      `${plan.sandbox}: ${path} ${amiss} (${operation.kind}, done ${done} times)`,
      {
        path,
        value,
        hint: 'either the kernel keeps something else or somebody else writes here too',
        report: ledger.report(plan),
      },
    )
  }
}

function readKnob({ hierarchies }: Observed, { hierarchy, path, knob }: WriteKnob): string | undefined {
  return knobValue(hierarchies.find(({ id }) => id === hierarchy)?.cgroups[path], knob)
}

/** Nothing but moves is left, the same ones again, and the kernel has refused some of them: trying on would not help. */
function isStuck(ledger: Ledger, before: Plan, now: Plan): boolean {
  const isPlacement = now.stages.every(({ name }) => name === 'placement')
  const isSame = isDeepStrictEqual(stageNamed(before, 'placement'), stageNamed(now, 'placement'))
  return isPlacement && isSame && ledger.report(now).left.some(({ code }) => code !== 'EAGAIN')
}

function stageNamed(plan: Plan, name: Stage['name']): Stage | undefined {
  return plan.stages.find((stage) => stage.name === name)
}
