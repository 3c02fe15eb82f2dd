import { CgroupError } from '../errors'
import type { Freeze, Operation, Stage, WriteKnob } from '../plan/operations'
import { type OperationOutcome, publishOutcomes, type StageExecutor } from './execute'
import type { SubmitOptions } from './lane'

/** How the processes of a cgroup are held, and what is remembered of it. */
export interface Stillness {
  /**
   * Remembers what is about to be written, then freezes and waits.
   *
   * @throws the freezer's error, with nothing frozen; `signal.reason` after an abort.
   */
  readonly begin: (freeze: Freeze, writes: readonly WriteKnob[], options: SubmitOptions) => Promise<void>
  /** They have been thawed: nothing is to be remembered any more. */
  readonly end: () => Promise<void>
}

const EBUSY = 16

/**
 * An executor that waits after a freeze until everybody stands still, and says so before and after: what is frozen must
 * not stay so, however this process ends. What follows the thaw is not written before it, since it can take long.
 */
export function standingStill(execute: StageExecutor, stillness: Stillness): StageExecutor {
  return async (plan, stage, options) => {
    const carryOut = async ({ freeze, operations }: Part): Promise<readonly OperationOutcome[]> => {
      const before = freeze === undefined ? [] : [await begun(freeze, operations, stillness, options)]
      publishOutcomes(plan, before)
      if (before.some(isFailed)) return [...before, ...operations.map(notRun)]
      const outcomes = await execute(plan, { name: stage.name, operations }, options)
      const last = outcomes.at(-1)
      if (last?.operation.kind === 'thaw' && last.errno === 0) await stillness.end()
      return [...before, ...outcomes]
    }
    const outcomes: OperationOutcome[] = []
    for (const part of partsOf(stage)) {
      const { freeze, operations } = part
      const isStopped = outcomes.some(isFailed)
      if (isStopped) outcomes.push(...[...(freeze === undefined ? [] : [freeze]), ...operations].map(notRun))
      else outcomes.push(...(await carryOut(part)))
    }
    return outcomes
  }
}

async function begun(
  operation: Freeze,
  operations: readonly Operation[],
  { begin }: Stillness,
  options: SubmitOptions,
): Promise<OperationOutcome> {
  const writes = operations.filter((one) => one.kind === 'write-knob')
  const start = performance.now()
  const outcome = (errno: number, cause?: CgroupError): OperationOutcome => {
    const microseconds = Math.round(1000 * (performance.now() - start))
    return { operation, errno, microseconds, ids: [], ...(cause && { cause }) }
  }
  try {
    await begin(operation, writes, options)
    return outcome(0)
  } catch (error) {
    if (!(error instanceof CgroupError)) throw error
    return outcome(error.errno === undefined ? EBUSY : -error.errno, error)
  }
}

function isFailed({ errno }: OperationOutcome): boolean {
  return errno !== 0
}

function notRun(operation: Operation): OperationOutcome {
  return { operation, errno: -1, microseconds: 0, ids: [] }
}

interface Part {
  readonly freeze: Freeze | undefined
  /** All that follows, to the thaw and no further. */
  readonly operations: Operation[]
}

function partsOf({ operations }: Stage): readonly Part[] {
  const parts: Part[] = []
  let isEnded = true
  for (const operation of operations) {
    const isFreeze = operation.kind === 'freeze'
    if (isFreeze || isEnded) parts.push({ freeze: isFreeze ? operation : undefined, operations: [] })
    if (!isFreeze) parts.at(-1)?.operations.push(operation)
    isEnded = operation.kind === 'thaw'
  }
  return parts
}
