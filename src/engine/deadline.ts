import { CgroupError } from '../errors'
import { type Operation, operationsOf, type Plan, type Stage, type WriteKnob } from '../plan/operations'

/** What to do about a write that the kernel does not come back from in time. */
export interface Deadline {
  /** In milliseconds; what a timer cannot count (24.8 days) is none. */
  readonly deadlineMs: number
  /** Told of work that goes on after it was given up: nobody else may begin until that has ended. */
  readonly onOverdue: (work: Promise<unknown>) => void
}

/**
 * Waits for work that can block long, and no longer than the deadline. What has not begun by then, because the lane is
 * busy with another sandbox, is taken back; what the kernel has begun it cannot be told to leave, so that goes on.
 *
 * @param begin begins the work; the signal takes it back while it waits.
 * @param blocking the writes that can block.
 * @throws `ERR_VMCG_TIMEOUT` naming the knob and the value, and whether the kernel is at it.
 */
export async function withinDeadline<T>(
  begin: (signal: AbortSignal) => Promise<T>,
  { deadlineMs, onOverdue }: Deadline,
  plan: Plan,
  blocking: readonly WriteKnob[],
): Promise<T> {
  const controller = new AbortController()
  const work = begin(controller.signal)
  if (deadlineMs > LONGEST_TIMER_MS) return work
  let timer: NodeJS.Timeout | undefined
  let isSettled = false
  const overdue = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      controller.abort(timeout('has not begun with', 'nothing was written', deadlineMs, plan, blocking))
      // Work that was taken back has rejected by then.
      setImmediate(() => {
        if (isSettled) return
        onOverdue(work)
        reject(timeout('has not come back from', 'it goes on with it', deadlineMs, plan, blocking))
      })
    }, deadlineMs)
  })
  try {
    return await Promise.race([work, overdue])
  } finally {
    isSettled = true
    clearTimeout(timer)
  }
}

function timeout(
  what: string,
  outcome: string,
  deadlineMs: number,
  plan: Plan,
  blocking: readonly WriteKnob[],
): CgroupError {
  const [first] = blocking
  const knobs = blocking.map(({ hierarchy, path, knob }) => `${plan.mounts[hierarchy] ?? ''}${path}/${knob}`)
  return new CgroupError(
    'ERR_VMCG_TIMEOUT',
    `${plan.sandbox}: the kernel ${what} ${knobs.join(', ')} for ${deadlineMs} ms; ${outcome}`,
    {
      syscall: 'write',
      path: knobs[0],
      value: first?.value,
      hint: 'it is reclaiming or migrating memory: apply() again when that has ended, or give it a longer writeTimeoutMs',
    },
  )
}

/** A longer timer goes off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The stages of a plan that can block are given this long unless somebody says otherwise. */
export const DEFAULT_DEADLINE_MS = 30_000

/**
 * What can keep the kernel busy for long: a memory limit below what is used makes it reclaim first (hundreds of
 * milliseconds for some GB of page cache), a change of memory nodes may migrate pages. Not in a cgroup that the plan
 * itself makes: nobody's memory is there yet.
 */
export function blockingWrites(stage: Stage, plan: Plan): readonly WriteKnob[] {
  const blocking = stage.operations.flatMap((operation) =>
    operation.kind === 'write-knob' && BLOCKING_KNOBS.includes(operation.knob) ? [operation] : [],
  )
  if (blocking.length === 0) return blocking
  const made = new Set(operationsOf(plan).flatMap((one) => (isOwnDirectory(one) ? [placeOf(one)] : [])))
  return blocking.filter((write) => !made.has(placeOf(write)))
}

function isOwnDirectory(operation: Operation): boolean {
  return operation.kind === 'make-directory' && !operation.shared
}

function placeOf({ hierarchy, path }: Operation): string {
  return `${hierarchy}:${path}`
}

const BLOCKING_KNOBS: readonly string[] = [
  'memory.limit_in_bytes',
  'memory.memsw.limit_in_bytes',
  'memory.max',
  'memory.high',
  'cpuset.mems',
]
