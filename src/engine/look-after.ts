import type { Observed } from '../plan/observed'
import type { Plan } from '../plan/operations'
import type { OperationOutcome, StageExecutor } from './execute'
import { type Identify, putBackStrangers, withoutConfirmed } from './strangers'

/** What was carried out, and what was seen before it. */
export interface Done {
  readonly plan: Plan
  readonly observed: Observed
  readonly outcomes: readonly OperationOutcome[]
}

/** What a look after it shows. */
export interface LookedAfter {
  readonly observed: Observed
  /** It is just what was expected, everybody who was seen before among it. @default false */
  readonly isForeseen?: boolean | undefined
}

export interface PutBackOptions {
  /** Tells who has an id after it was written; undefined: nobody is asked. */
  readonly identify: Identify | undefined
  /** Told of the operations that have put strangers back. */
  readonly onPutBack: (outcomes: readonly OperationOutcome[]) => void
}

/**
 * The next look, with strangers put back that were written in another's place. The look itself tells whose ids are
 * still those that were meant, so that hardly anybody has to be asked for one by one.
 *
 * @throws what `look` throws, once strangers are back.
 */
export async function lookAfter<L extends LookedAfter>(
  { plan, observed, outcomes }: Done,
  look: () => Promise<L>,
  execute: StageExecutor,
  { identify, onPutBack }: PutBackOptions,
): Promise<L> {
  const putBack = async (suspects: readonly OperationOutcome[]): Promise<boolean> => {
    const operations = identify === undefined ? [] : putBackStrangers(suspects, observed, identify)
    if (operations.length === 0) return false
    onPutBack(await execute(plan, { name: 'placement', operations }, {}))
    return true
  }
  let seen: L
  try {
    seen = await look()
  } catch (error) {
    await putBack(outcomes)
    throw error
  }
  if (seen.isForeseen === true) return seen
  return (await putBack(withoutConfirmed(outcomes, observed, seen.observed))) ? look() : seen
}
