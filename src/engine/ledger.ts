import { isDeepStrictEqual } from 'node:util'
import { errnoName } from '../errors'
import { placeOf } from '../model/resources/keyed-lines'
import { isLimit, isUnlimited } from '../model/resources/limits'
import type { Operation, Plan } from '../plan/operations'
import type { OperationOutcome } from './execute'
import { refusedIds } from './explain'
import { Moves } from './moves'
import type { LeftThread, Report } from './report'

const ESRCH = 3

/** Writes down what an apply does, and tells what went wrong in a way that matters. */
export class Ledger {
  readonly #leaf: string
  readonly #outcomes: OperationOutcome[] = []
  readonly #putBack = new Moves()
  readonly #missing = new Set<number>()
  readonly #warnings = new Set<string>()
  #looks = 0

  /** @param leaf the path of the cgroup that vCPU threads belong into. */
  constructor(leaf: string) {
    this.#leaf = leaf
  }

  /** @param missing vCPU threads that the hypervisor reports and the kernel does not have. */
  addLook(missing: readonly number[]): void {
    this.#looks += 1
    for (const tid of missing) this.#missing.add(tid)
  }

  /** @param plan is about to be carried out; what it warns of need not be seen any more afterwards. */
  addPlan({ warnings }: Plan): void {
    for (const warning of warnings) this.#warnings.add(warning)
  }

  add(outcomes: readonly OperationOutcome[]): void {
    this.#outcomes.push(...outcomes)
  }

  /** Operations that put strangers back: ids that had changed hands before they were written. */
  addPutBack(outcomes: readonly OperationOutcome[]): void {
    this.#outcomes.push(...outcomes)
    for (const outcome of outcomes) this.#putBack.add(outcome)
  }

  /** How often this very operation went through; what a write remembers of before does not count. */
  timesDone(wanted: Operation): number {
    const bare = (operation: Operation) => ({ ...operation, previous: undefined })
    return this.#outcomes.filter(
      ({ operation, errno }) => errno === 0 && isDeepStrictEqual(bare(operation), bare(wanted)),
    ).length
  }

  /**
   * True when an outcome cannot be shrugged off. A thread that has ended is data; a thread that is no vCPU and that
   * the kernel will not move stays where it is, and the report says so.
   */
  isFatal(outcome: OperationOutcome): boolean {
    if (outcome.errno > 0) return true
    const isVital = outcome.operation.kind === 'move-process' || this.#isVcpuMove(outcome.operation)
    return isVital && refusedIds(outcome).length > 0
  }

  report(plan: Plan): Report {
    const strangers = new Set(this.#putBack.tids)
    const moved = this.#outcomes.filter(({ operation }) => this.#isVcpuMove(operation)).flatMap(written)
    return {
      sandbox: plan.sandbox,
      isChanged: this.#outcomes.some(hasChanged),
      looks: this.#looks,
      operations: this.#outcomes,
      placed: unique(moved.filter((tid) => !strangers.has(tid))),
      vanished: unique([...this.#missing, ...strangers, ...this.#outcomes.flatMap(vanished)]),
      putBack: this.#putBack.list(),
      left: plan.stages.flatMap(({ operations }) =>
        operations.flatMap((operation) => this.#leftBy(operation)),
      ),
      unlimited: lifted(this.#outcomes),
      warnings: [...new Set([...this.#warnings, ...plan.warnings])],
    }
  }

  #isVcpuMove(operation: Operation): boolean {
    return operation.kind === 'move-threads' && operation.path === this.#leaf
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

/** A move changes something when it has moved somebody. */
function hasChanged({ operation, errno, ids }: OperationOutcome): boolean {
  const isMove = operation.kind === 'move-threads' || operation.kind === 'move-process'
  return errno === 0 && (!isMove || ids.some((id) => id.errno === 0))
}

function written(outcome: OperationOutcome): readonly number[] {
  return outcome.ids.filter(({ errno }) => errno === 0).map(({ id }) => id)
}

function vanished(outcome: OperationOutcome): readonly number[] {
  return outcome.ids.filter(({ errno }) => errno === ESRCH).map(({ id }) => id)
}

/** Limits that were in force before the first write and are not after the last. */
function lifted(outcomes: readonly OperationOutcome[]): readonly string[] {
  const limits = new Map<string, { readonly wasLimited: boolean; readonly isLimited: boolean }>()
  for (const { operation, errno } of outcomes) {
    if (errno !== 0 || operation.kind !== 'write-knob' || !isLimit(operation.knob)) continue
    const { hierarchy, path, knob, value, previous } = operation
    const name = `${hierarchy}:${path} ${placeOf({ file: knob, value })}`
    const { wasLimited } = limits.get(name) ?? {
      wasLimited: previous === null || !isUnlimited(knob, previous),
    }
    limits.set(name, { wasLimited, isLimited: !isUnlimited(knob, value) })
  }
  return [...limits].flatMap(([name, { wasLimited, isLimited }]) => (wasLimited && !isLimited ? [name] : []))
}

function unique(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)].sort((a, b) => a - b)
}
