import type { OperationOutcome, StageExecutor } from '../../src/engine/execute'
import type { Look } from '../../src/engine/settle'
import type { Desired } from '../../src/plan/desired'
import type { Observed } from '../../src/plan/observed'
import type { Operation } from '../../src/plan/operations'
import { type SimulatedAnswer, SimulatedKernel } from '../../src/plan/simulated-kernel'

/** What else happens on a host: each may change the host, or answer in the kernel's place. */
export interface Mischief {
  /** Called before each look with its number, from 1. */
  readonly onLook?: (look: number, host: SimulatedHost) => void
  /** Called before each operation. An answer keeps the operation from the kernel. */
  readonly onOperation?: (operation: Operation, host: SimulatedHost) => SimulatedAnswer | undefined
}

/** A simulated kernel with the two faces that the engine needs: one to look through, one to write through. */
export class SimulatedHost {
  desired: Desired
  missing: readonly number[] = []
  /** Every operation that reached the kernel or the mischief, in order. */
  readonly written: Operation[] = []
  looks = 0
  #wasBrief = false
  #kernel: SimulatedKernel
  readonly #mischief: Mischief

  constructor(desired: Desired, state: Observed, mischief: Mischief = {}) {
    this.desired = desired
    this.#kernel = new SimulatedKernel(state)
    this.#mischief = mischief
  }

  get state(): Observed {
    return this.#kernel.observe()
  }

  /** What somebody else does, past the engine. */
  change(how: (state: Observed) => Observed): void {
    this.#kernel = new SimulatedKernel(how(this.state))
  }

  /** A write by somebody else. */
  doElsewhere(operation: Operation): void {
    this.#kernel.execute(operation)
  }

  /** A brief look, and the one behind it that was not brief, are one: nothing happens in between. */
  readonly look = async (isBrief = false): Promise<Look> => {
    if (!this.#wasBrief || isBrief) {
      this.looks += 1
      this.#mischief.onLook?.(this.looks, this)
    }
    this.#wasBrief = isBrief
    const observed = isBrief ? withIdsOnly(this.state) : this.state
    return { desired: this.desired, observed, missing: this.missing }
  }

  /** One group, as the kernel executor has it: the first operation that fails stops those behind it. */
  readonly execute: StageExecutor = async (_plan, { operations }) => {
    let isStopped = false
    return operations.map((operation): OperationOutcome => {
      if (isStopped) return { operation, errno: -1, microseconds: 0, ids: [] }
      this.written.push(operation)
      const answer = this.#mischief.onOperation?.(operation, this) ?? this.#kernel.execute(operation)
      isStopped = answer.errno !== 0
      return { operation, microseconds: 0, ...answer }
    })
  }
}

function withIdsOnly(state: Observed): Observed {
  const processes = state.processes.map((process) => ({
    ...process,
    threads: process.threads.map(({ tid }) => ({ tid, startTime: null, name: '' })),
  }))
  return { ...state, processes }
}

export const ACCEPTED: SimulatedAnswer = { errno: 0, ids: [] }

export function refused(errno: number): SimulatedAnswer {
  return { errno, ids: [] }
}
