import { errnoName } from '../errors'
import { VCPU_LEAF } from '../plan/desired'
import { childPath } from '../plan/observed'
import type { MoveThreads, Operation, Plan, WriteKnob } from '../plan/operations'
import type { OperationOutcome } from './execute'
import type { LeftThread, PutBackThread, Report } from './report'

const ESRCH = 3

/** Writes down what an apply does, and tells what went wrong in a way that matters. */
export class Ledger {
  readonly #outcomes: OperationOutcome[] = []
  readonly #putBack: PutBackThread[] = []
  readonly #missing = new Set<number>()
  #looks = 0

  /** @param missing vCPU threads that the hypervisor reports and the kernel does not have. */
  addLook(missing: readonly number[]): void {
    this.#looks += 1
    for (const tid of missing) this.#missing.add(tid)
  }

  add(outcomes: readonly OperationOutcome[]): void {
    this.#outcomes.push(...outcomes)
  }

  /** Operations that put strangers back: ids that had changed hands before they were written. */
  addPutBack(outcomes: readonly OperationOutcome[]): void {
    this.#outcomes.push(...outcomes)
    this.#putBack.push(
      ...outcomes.flatMap((outcome) => {
        const to = `${outcome.operation.hierarchy}:${outcome.operation.path}`
        return written(outcome).map((tid) => ({ tid, to }))
      }),
    )
  }

  get looks(): number {
    return this.#looks
  }

  /** How often this knob was written successfully with this value. */
  timesWritten(write: WriteKnob): number {
    return this.#outcomes.filter(
      ({ operation, errno }) =>
        errno === 0 &&
        operation.kind === 'write-knob' &&
        operation.hierarchy === write.hierarchy &&
        operation.path === write.path &&
        operation.knob === write.knob &&
        operation.value === write.value,
    ).length
  }

  report(plan: Plan): Report {
    const strangers = new Set(this.#putBack.map(({ tid }) => tid))
    const moved = this.#outcomes.filter(({ operation }) => isVcpuMove(operation)).flatMap(written)
    return {
      sandbox: plan.sandbox,
      isChanged: this.#outcomes.some(({ errno }) => errno === 0),
      looks: this.#looks,
      operations: this.#outcomes,
      placed: unique(moved.filter((tid) => !strangers.has(tid))),
      vanished: unique([...this.#missing, ...strangers, ...this.#outcomes.flatMap(vanished)]),
      putBack: this.#putBack,
      left: plan.stages.flatMap(({ operations }) =>
        operations.flatMap((operation) => this.#leftBy(operation)),
      ),
      unlimited: this.#outcomes.flatMap(lifted),
      warnings: plan.warnings,
    }
  }

  #leftBy(operation: Operation): readonly LeftThread[] {
    if (operation.kind !== 'move-threads' && operation.kind !== 'move-process') return []
    const ids = operation.kind === 'move-threads' ? operation.tids : [operation.pid]
    const where = `${operation.hierarchy}:${operation.path}`
    return ids.map((tid) => ({ tid, where, code: this.#lastCode(operation, tid) }))
  }

  #lastCode(operation: Operation, id: number): string {
    const last = this.#outcomes
      .filter((outcome) => outcome.operation.hierarchy === operation.hierarchy)
      .flatMap(({ ids }) => ids)
      .findLast((written) => written.id === id)
    return last === undefined || last.errno <= 0 ? 'EAGAIN' : errnoName(last.errno)
  }
}

/**
 * True when an outcome cannot be shrugged off. A thread that has ended is data; a thread that is no vCPU and that the
 * kernel will not move stays where it is, and the report says so.
 */
export function isFatal(outcome: OperationOutcome): boolean {
  if (outcome.errno > 0) return true
  const refused = outcome.ids.filter(({ errno }) => errno > 0 && errno !== ESRCH)
  return refused.length > 0 && (outcome.operation.kind === 'move-process' || isVcpuMove(outcome.operation))
}

function isVcpuMove(operation: Operation): operation is MoveThreads {
  return operation.kind === 'move-threads' && operation.path.endsWith(childPath('', VCPU_LEAF))
}

function written(outcome: OperationOutcome): readonly number[] {
  return outcome.ids.filter(({ errno }) => errno === 0).map(({ id }) => id)
}

function vanished(outcome: OperationOutcome): readonly number[] {
  return outcome.ids.filter(({ errno }) => errno === ESRCH).map(({ id }) => id)
}

function lifted({ operation, errno }: OperationOutcome): readonly string[] {
  const isLifted =
    errno === 0 &&
    operation.kind === 'write-knob' &&
    operation.knob === 'cpu.cfs_quota_us' &&
    operation.value === '-1'
  return isLifted ? [`${operation.hierarchy}:${operation.path} ${operation.knob}`] : []
}

function unique(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)].sort((a, b) => a - b)
}
