import type { Observed } from '../plan/observed'
import type { Operation, Plan, Stage } from '../plan/operations'
import { blockingWrites } from './deadline'
import type { OperationOutcome, StageExecutor } from './execute'
import type { SubmitOptions } from './lane'
import type { Ledger } from './ledger'
import { takeBackOperations } from './take-back'

export interface Failure {
  readonly stage: Stage
  readonly outcome: OperationOutcome
}

/** What was carried out of a plan, and what has ended it. */
export interface Run {
  readonly failed: Failure | undefined
  readonly outcomes: readonly OperationOutcome[]
}

/**
 * Carries out a plan, stage by stage; stages between which nothing has to happen are handed over as one. What a stage
 * has written before one of its operations failed is taken back, and no other stage begins.
 *
 * @param observed what the plan was made from.
 */
export async function runStages(
  plan: Plan,
  observed: Observed,
  execute: StageExecutor,
  ledger: Ledger,
  options: SubmitOptions,
): Promise<Run> {
  const all: OperationOutcome[] = []
  for (const [first, ...others] of joinedStages(plan)) {
    const operations = [first, ...others].flatMap((stage) => stage.operations)
    const outcomes = await execute(plan, { name: first.name, operations }, options)
    let from = 0
    for (const stage of [first, ...others]) {
      const own = outcomes.slice(from, from + stage.operations.length)
      from += stage.operations.length
      ledger.add(own)
      all.push(...own)
      const outcome = own.find((one) => ledger.isFatal(one))
      if (outcome === undefined) continue
      // Those of the stages behind it were not tried, and are in the report as such.
      const untried = outcomes.slice(from)
      ledger.add(untried)
      all.push(...untried)
      const back = takeBackOperations(own, observed)
      if (back.length > 0) ledger.add(await execute(plan, { name: stage.name, operations: back }, {}))
      return { failed: { stage, outcome }, outcomes: all }
    }
  }
  return { failed: undefined, outcomes: all }
}

/**
 * Stages that follow each other without anything in between: a failure in one keeps those behind it from being tried,
 * as it does within a stage, and an abort ends with the last of them. Threads are moved apart from what comes before:
 * until then an abort, or whoever waits for others, finds them where they were. So is what freezes, loads programs or
 * can block, which takes ways of its own.
 */
function joinedStages(plan: Plan): readonly (readonly [Stage, ...Stage[]])[] {
  const joined: [Stage, ...Stage[]][] = []
  let isOpen = false
  for (const stage of plan.stages) {
    const isPlain =
      stage.operations.every(({ kind }) => PLAIN.includes(kind)) && blockingWrites(stage, plan).length === 0
    if (isOpen && isPlain) joined.at(-1)?.push(stage)
    else joined.push([stage])
    isOpen = isPlain
  }
  return joined
}

const PLAIN: readonly Operation['kind'][] = ['make-directory', 'tag', 'write-knob']
