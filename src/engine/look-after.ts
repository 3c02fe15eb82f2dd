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

export interface PutBackOptions<L> {
  /** Whether a look shows just what was expected, everybody who was seen before among it. @default never */
  readonly isForeseen?: ((seen: L) => boolean) | undefined
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
export async function lookAfter<L extends { readonly observed: Observed }>(
  { plan, observed, outcomes }: Done,
  look: () => Promise<L>,
  execute: StageExecutor,
  { identify, isForeseen, onPutBack }: PutBackOptions<L>,
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
  if (isForeseen?.(seen) === true) return seen
  return (await putBack(withoutConfirmed(outcomes, observed, seen.observed))) ? look() : seen
}
