import type { OperationOutcome } from './execute'
import type { MovedThread } from './moves'

/** What an `apply` did, and what it could not do. */
export interface Report {
  readonly sandbox: string
  /** False when everything already was as it should be: nothing was written. */
  readonly isChanged: boolean
  /** How often the kernel was looked at, the look before the first write and the verification included. */
  readonly looks: number
  /** Every operation, with what the kernel answered, in the order of execution. */
  readonly operations: readonly OperationOutcome[]
  /** vCPU threads that were moved into their leaf. */
  readonly placed: readonly number[]
  /** Threads that ended between the question and the write. */
  readonly vanished: readonly number[]
  /** Threads of others that had been given such a thread's id by then: moved by the write, and put back to there. */
  readonly putBack: readonly MovedThread[]
  /** Threads that are not where they belong after the last look. */
  readonly left: readonly LeftThread[]
  /**
   * Limits that were set before and are lifted now, as `hierarchy:path knob`, with the device of a knob that has many.
   */
  readonly unlimited: readonly string[]
  readonly warnings: readonly string[]
}

export interface LeftThread {
  readonly tid: number
  /** Where it should be, as `hierarchy:path`. */
  readonly where: string
  /** The kernel's answer to the last try, such as `'EINVAL'`. */
  readonly code: string
}

/** The report of an apply that had nothing to do, and looked at nothing. */
export function nothingDone(sandbox: string): Report {
  return {
    sandbox,
    isChanged: false,
    looks: 0,
    operations: [],
    placed: [],
    vanished: [],
    putBack: [],
    left: [],
    unlimited: [],
    warnings: [],
  }
}
