import { CgroupError } from '../errors'
import type { Observed } from '../plan/observed'
import { isEmptyPlan, operationsOf, type Plan, type Stage } from '../plan/operations'
import type { OperationOutcome, StageExecutor } from './execute'
import { explain, failedErrno } from './explain'
import type { SubmitOptions } from './lane'
import { type MovedThread, Moves } from './moves'
import { pause } from './pause'
import { type Identify, putBackStrangers } from './strangers'

/** What a `destroy` did. */
export interface DestroyReport {
  readonly sandbox: string
  /** Threads that were given back. */
  readonly moved: readonly MovedThread[]
  /** Directories that were removed, as `hierarchy:path`. */
  readonly removed: readonly string[]
  /** The threads among `moved` that the sandbox held to a limit, and that run without it now. */
  readonly unlimited: readonly number[]
}

export interface TeardownLook {
  readonly plan: Plan
  readonly observed: Observed
  /** Threads that the sandbox holds to a limit now. */
  readonly limited: readonly number[]
}

export interface DrainOptions extends SubmitOptions {
  /** Tells who has an id after it was written. @default nobody is asked */
  readonly identify?: Identify | undefined
}

const ENOENT = 2
const EBUSY = 16
const ENODEV = 19
const DEADLINE_MS = 5000
const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 64

/**
 * Looks, gives the living back, removes the empty directories, and looks again until nothing is left. Threads that
 * have ended are skipped, threads that are born meanwhile are found by the next look. The kernel keeps a directory
 * busy for some milliseconds after its last thread has died; v1 has no event for that, so it is tried again.
 *
 * @throws `ERR_VMCG_BUSY` when threads or directories are still in the way after five seconds; the kernel's error for
 *   a thread that cannot be moved or a directory that cannot be removed.
 */
export async function drain(
  look: () => Promise<TeardownLook>,
  execute: StageExecutor,
  options: DrainOptions,
): Promise<DestroyReport> {
  const deadline = performance.now() + DEADLINE_MS
  const moves = new Moves()
  const removed: string[] = []
  let now = await look()
  const limited = new Set(now.limited)
  const { sandbox } = now.plan
  for (let waitMs = FIRST_PAUSE_MS; !isEmptyPlan(now.plan); waitMs = Math.min(2 * waitMs, LONGEST_PAUSE_MS)) {
    const isBusy = await runTeardown(now, execute, options, moves, removed)
    now = await look()
    if (isBusy && !isEmptyPlan(now.plan)) {
      if (performance.now() > deadline) throw busy(now.plan)
      await pause(waitMs, options.signal)
    }
  }
  return {
    sandbox,
    moved: moves.list(),
    removed,
    unlimited: moves.tids.filter((tid) => limited.has(tid)).sort((a, b) => a - b),
  }
}

/** @returns true when a directory was still busy, or threads had nowhere to go. */
async function runTeardown(
  { plan, observed }: TeardownLook,
  execute: StageExecutor,
  options: DrainOptions,
  moves: Moves,
  removed: string[],
): Promise<boolean> {
  let isBusy = false
  for (const stage of plan.stages) {
    const outcomes = await execute(plan, stage, options)
    const strangers = await putBack(plan, stage, outcomes, observed, execute, options)
    for (const outcome of outcomes) {
      const { operation } = outcome
      const where = `${operation.hierarchy}:${operation.path}`
      const errno = failedErrno(outcome)
      if (operation.kind === 'remove-directory') {
        if (errno === 0) removed.push(where)
        else if (errno === EBUSY) isBusy = true
        else if (errno > 0 && errno !== ENOENT) throw explain(outcome, plan, observed)
        continue
      }
      moves.add(outcome, (id) => !strangers.has(id))
      // The cgroup that they came from has gone since the look: the next one finds another place for them.
      if (errno === ENOENT || errno === ENODEV) isBusy = true
      else if (errno > 0) throw explain(outcome, plan, observed)
    }
  }
  return isBusy
}

/** @returns the ids that were a stranger's by the time they were written. */
async function putBack(
  plan: Plan,
  stage: Stage,
  outcomes: readonly OperationOutcome[],
  observed: Observed,
  execute: StageExecutor,
  { identify }: DrainOptions,
): Promise<ReadonlySet<number>> {
  if (identify === undefined) return new Set()
  const operations = putBackStrangers(outcomes, observed, identify)
  if (operations.length === 0) return new Set()
  const done = await execute(plan, { name: stage.name, operations }, {})
  return new Set(done.flatMap(({ ids }) => ids.map(({ id }) => id)))
}

function busy(plan: Plan): CgroupError {
  // Removal goes from the leaf up: the first that is still there keeps those above it.
  const inTheWay = operationsOf(plan).find(({ kind }) => kind === 'remove-directory')
  const path = inTheWay === undefined ? '' : `${plan.mounts[inTheWay.hierarchy] ?? ''}${inTheWay.path}`
  return new CgroupError(
    'ERR_VMCG_BUSY',
    `${plan.sandbox}: ${path} is still in use after ${DEADLINE_MS} ms`,
    { path, hint: `cat ${path}/tasks; ls -d ${path}/*/` },
  )
}
