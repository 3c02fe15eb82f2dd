import type { Observed } from '../plan/observed'
import type { Operation } from '../plan/operations'
import type { OperationOutcome } from './execute'

/** Who has a thread id now. */
export interface ThreadIdentity {
  /** Clock ticks since boot. */
  readonly startTime: number
  /** Hierarchy id → the cgroup that it is in. */
  readonly place: Readonly<Record<string, string>>
  /** Hierarchy id → the cgroup of whoever made it, which it was born into: its process, or that process's parent. */
  readonly home: Readonly<Record<string, string>>
}

/** undefined: nobody has this id. */
export type Identify = (tid: number) => ThreadIdentity | undefined

/**
 * The kernel takes an id for whoever has it at that moment. When a thread ends between the look and the write, and its
 * id is given to another thread before the write, a stranger is moved. This finds those among the ids that were
 * written, by their start times, and gives the operations that put them back. Pure, but for what `identify` reads.
 *
 * A stranger that is no longer where it was written to is left alone: somebody else has taken care of it. An id whose
 * start time was not seen before the write is nobody that could be mistaken.
 */
export function putBackStrangers(
  outcomes: readonly OperationOutcome[],
  before: Observed,
  identify: Identify,
): readonly Operation[] {
  const startTimes = startTimesOf(before)
  return outcomes.flatMap(({ operation, ids }) =>
    ids.flatMap(({ id, errno }): readonly Operation[] => {
      const startTime = startTimes.get(id)
      if (errno !== 0 || startTime === undefined || startTime === null) return []
      const now = identify(id)
      if (now === undefined || now.startTime === startTime) return []
      const { hierarchy } = operation
      const path = now.home[hierarchy]
      if (path === undefined || path === operation.path || now.place[hierarchy] !== operation.path) return []
      return operation.kind === 'move-process'
        ? [{ kind: 'move-process', hierarchy, path, pid: id }]
        : [{ kind: 'move-threads', hierarchy, path, tids: [id] }]
    }),
  )
}

/**
 * The outcomes without the ids that a look after the write shows to be those that were meant: the same thread of the
 * same process, by its start time.
 */
export function withoutConfirmed(
  outcomes: readonly OperationOutcome[],
  before: Observed,
  after: Observed,
): readonly OperationOutcome[] {
  const now = startTimesOf(after)
  const confirmed = new Set(
    [...startTimesOf(before)].flatMap(([tid, time]) => (now.get(tid) === time ? [tid] : [])),
  )
  return outcomes.map((outcome) => ({ ...outcome, ids: outcome.ids.filter(({ id }) => !confirmed.has(id)) }))
}

/** tid → start time, of every thread that was seen. */
function startTimesOf({ processes }: Observed): ReadonlyMap<number, number | null> {
  return new Map(processes.flatMap(({ threads }) => threads.map(({ tid, startTime }) => [tid, startTime])))
}
