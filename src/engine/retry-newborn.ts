import type { Operation } from '../plan/operations'
import type { OperationOutcome, StageExecutor } from './execute'
import { pause } from './pause'

export type IsRealtime = (operation: Operation, id: number) => boolean

const EINVAL = 22
const TRIES = 5
const PAUSE_MS = 30

/**
 * An executor that tries moves again which the kernel refused with EINVAL: a task that fork(2) has not finished cannot
 * be moved yet. The same errno for a real-time thread in a cgroup without cpu.rt_runtime_us is for good, and is not
 * tried again. Source: kernel/sched/core.c, cpu_cgroup_can_attach (TASK_NEW, sched_rt_can_attach).
 *
 * @param isRealtime whether what an operation would move with an id has a real-time policy.
 */
export function retryNewborn(execute: StageExecutor, isRealtime: IsRealtime): StageExecutor {
  return async (plan, stage, options) => {
    let outcomes = await execute(plan, stage, options)
    for (let tries = 0; tries < TRIES; tries += 1) {
      const operations = outcomes.flatMap((outcome) => again(outcome, isRealtime))
      if (operations.length === 0) break
      await pause(PAUSE_MS, options.signal)
      outcomes = merge(outcomes, await execute(plan, { name: stage.name, operations }, options))
    }
    return outcomes
  }
}

function again({ operation, ids }: OperationOutcome, isRealtime: IsRealtime): readonly Operation[] {
  const refused = ids
    .filter(({ id, errno }) => errno === EINVAL && !isRealtime(operation, id))
    .map(({ id }) => id)
  if (refused.length === 0) return []
  return operation.kind === 'move-threads' ? [{ ...operation, tids: refused }] : [operation]
}

/** The outcomes with what came of the ids that were tried again. */
function merge(
  outcomes: readonly OperationOutcome[],
  later: readonly OperationOutcome[],
): readonly OperationOutcome[] {
  return outcomes.map((outcome) => {
    const { kind, hierarchy, path } = outcome.operation
    const retried = later.find(
      ({ operation }) =>
        operation.kind === kind && operation.hierarchy === hierarchy && operation.path === path,
    )
    const errnos = new Map(retried?.ids.map(({ id, errno }) => [id, errno]))
    const ids = outcome.ids.map(({ id, errno }) => ({ id, errno: errnos.get(id) ?? errno }))
    return retried === undefined ? outcome : { ...outcome, errno: retried.errno, ids }
  })
}
