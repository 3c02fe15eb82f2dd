import { CgroupError, isVmcgError } from '../errors'
import { threadsFile, UNIFIED } from '../model/unified'
import type { Observed } from '../plan/observed'
import { isEmptyPlan, operationsOf, type Plan } from '../plan/operations'
import { waitForEvent } from './cgroup-events'
import type { OperationOutcome, StageExecutor } from './execute'
import { explain, failedErrno } from './explain'
import type { SubmitOptions } from './lane'
import { lookAfter } from './look-after'
import { type MovedThread, Moves } from './moves'
import { pause } from './pause'
import type { Identify } from './strangers'

/** What a `destroy` did. */
export interface DestroyReport {
  readonly sandbox: string
  /** Threads that were given back. A process of v2 goes back as a whole, and has all its threads here. */
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
    const done = await runTeardown(now, execute, options)
    const strangers = new Set<number>()
    const before = now
    now = await lookAfter({ ...before, ...done }, look, execute, {
      identify: options.identify,
      onPutBack: (outcomes) => {
        for (const { id } of outcomes.flatMap(({ ids }) => ids)) strangers.add(id)
      },
    })
    for (const outcome of done.outcomes) {
      if (outcome.operation.kind !== 'remove-directory')
        moves.add(byThread(outcome, before.observed), (id) => !strangers.has(id))
      else if (outcome.errno === 0) removed.push(where(outcome))
    }
    if (done.failed !== undefined) throw explain(done.failed, before.plan, before.observed)
    const isBusy = done.outcomes.some(isWaitedFor)
    if (isBusy && !isEmptyPlan(now.plan)) {
      if (performance.now() > deadline) throw busy(now.plan)
      await waitFor(now.plan, waitMs, options)
    }
  }
  return {
    sandbox,
    moved: moves.list(),
    removed,
    unlimited: moves.tids.filter((tid) => limited.has(tid)).sort((a, b) => a - b),
  }
}

/**
 * A while, or until the kernel says that nobody is left in what is to be removed: v2 tells of that, v1 does not. It is not
 * asked of v2 as long as v1 keeps the sandbox as well.
 */
async function waitFor(plan: Plan, ms: number, { signal }: DrainOptions): Promise<void> {
  const inTheWay = operationsOf(plan).filter(({ kind }) => kind === 'remove-directory')
  const last = inTheWay.at(-1)
  const isUnified = inTheWay.every(({ hierarchy }) => hierarchy === UNIFIED)
  if (last === undefined || !isUnified) return pause(ms, signal)
  const directory = `${plan.mounts[UNIFIED] ?? ''}${last.path}`
  const options = { timeoutMs: ms, signal }
  const isEmpty = await waitForEvent(directory, ({ isPopulated }) => !isPopulated, options).catch(goneIsEmpty)
  // Somebody has made a cgroup in it, or it is there no more and the next look finds that.
  if (isEmpty) await pause(ms, signal)
}

function goneIsEmpty(error: unknown): boolean {
  if (isVmcgError(error) && error.code === 'ENOENT') return true
  throw error
}

/** Up to the first outcome that another look does not mend. */
async function runTeardown({ plan }: TeardownLook, execute: StageExecutor, options: DrainOptions) {
  const all: OperationOutcome[] = []
  for (const stage of plan.stages) {
    const outcomes = await execute(plan, stage, options)
    all.push(...outcomes)
    const failed = outcomes.find(isFatal)
    if (failed !== undefined) return { outcomes: all, failed }
  }
  return { outcomes: all, failed: undefined }
}

/**
 * A directory that is still busy is tried again, and one that somebody else has removed is not in the way. When the
 * cgroup that threads came from has gone since the look, the next one finds another place for them.
 */
function isFatal(outcome: OperationOutcome): boolean {
  const errno = failedErrno(outcome)
  const isMove = outcome.operation.kind !== 'remove-directory'
  return errno > 0 && errno !== ENOENT && errno !== (isMove ? ENODEV : EBUSY)
}

/** True where another look is to wait a little: a directory is busy, or threads had nowhere to go. */
function isWaitedFor(outcome: OperationOutcome): boolean {
  const errno = failedErrno(outcome)
  return outcome.operation.kind === 'remove-directory'
    ? errno === EBUSY
    : errno === ENOENT || errno === ENODEV
}

/** A process that was moved as a whole, with all the threads that it was seen with. */
function byThread(outcome: OperationOutcome, { processes }: Observed): OperationOutcome {
  if (outcome.operation.kind !== 'move-process') return outcome
  const ids = outcome.ids.flatMap(({ id, errno }) => {
    const threads = processes.find(({ pid }) => pid === id)?.threads ?? [{ tid: id }]
    return threads.map(({ tid }) => ({ id: tid, errno }))
  })
  return { ...outcome, ids }
}

function where({ operation }: OperationOutcome): string {
  return `${operation.hierarchy}:${operation.path}`
}

function busy(plan: Plan): CgroupError {
  // Removal goes from the leaf up: the first that is still there keeps those above it.
  const inTheWay = operationsOf(plan).find(({ kind }) => kind === 'remove-directory')
  const path = inTheWay === undefined ? '' : `${plan.mounts[inTheWay.hierarchy] ?? ''}${inTheWay.path}`
  return new CgroupError(
    'ERR_VMCG_BUSY',
    `${plan.sandbox}: ${path} is still in use after ${DEADLINE_MS} ms`,
    { path, hint: `cat ${path}/${threadsFile(inTheWay?.hierarchy ?? '')}; ls -d ${path}/*/` },
  )
}
