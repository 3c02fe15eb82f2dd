import { channel } from 'node:diagnostics_channel'
import type { CgroupError } from '../errors'
import { threadsFile } from '../model/unified'
import type { Operation, Plan, Stage } from '../plan/operations'
import { FREEZER_STATE } from '../plan/stand-still'
import { Batch, type OpFields, type OpResult } from './batch'
import { blockingWrites, type Deadline, withinDeadline } from './deadline'
import { encodeProgram, programResult } from './device-program'
import { type Roots, type SubmitOptions, submit } from './lane'
import { OpCode } from './native'

/** What the kernel answered to one operation. */
export interface OperationOutcome {
  readonly operation: Operation
  /** 0, a positive errno, or −1: not run, because an operation before it failed. */
  readonly errno: number
  readonly microseconds: number
  /** What went wrong, where that is more than one answer of the kernel: who does not stop when it is to be frozen. */
  readonly cause?: CgroupError | undefined
  /** For a device program: the id that the kernel gave to it. */
  readonly programId?: number | undefined
  /** For moves: each pid or tid that was written, with its own errno. */
  readonly ids: readonly { readonly id: number; readonly errno: number }[]
}

/**
 * Carries out one stage of a plan, or several at once as if they were the first of them. The engine's writes to the
 * kernel; a test may put another in its place.
 */
export type StageExecutor = (
  plan: Plan,
  stage: Stage,
  options: SubmitOptions,
) => Promise<readonly OperationOutcome[]>

const EEXIST = 17

const operations = channel('vmcg:operation')

/**
 * An executor that writes to the kernel over the lane. A stage is one batch and one group: the first operation that
 * fails stops those after it. Ids that fail (a thread that has ended) do not. Each outcome is published on the
 * diagnostics channel `vmcg:operation` as `{ sandbox, ...outcome }`.
 *
 * A stage with a write that can block long goes by the slow lane, under the deadline. A freeze is begun and not waited
 * for: {@link standingStill} does that.
 */
export function kernelExecutor(roots: Roots, deadline: Deadline): StageExecutor {
  return async (plan, stage, options) => {
    const batch = new Batch()
    for (const operation of stage.operations) {
      const { code, path, ...fields } = encode(operation)
      const mountPoint = plan.mounts[operation.hierarchy] ?? ''
      const root = code === OpCode.SetDeviceProgram ? roots.ownId(mountPoint) : roots.id(mountPoint)
      batch.add(code, root, path, fields)
    }
    const blocking = blockingWrites(stage, plan)
    const results =
      blocking.length === 0
        ? await submit(batch, options)
        : await withinDeadline((signal) => submitSlow(batch, options, signal), deadline, plan, blocking)
    const outcomes = stage.operations.flatMap((operation, index) => {
      const result = results[index]
      return result === undefined ? [] : [outcomeOf(operation, result, plan)]
    })
    publishOutcomes(plan, outcomes)
    return outcomes
  }
}

/** On the diagnostics channel `vmcg:operation`, as `{ sandbox, ...outcome }`. */
export function publishOutcomes({ sandbox }: Plan, outcomes: readonly OperationOutcome[]): void {
  if (!operations.hasSubscribers) return
  for (const outcome of outcomes) operations.publish({ sandbox, ...outcome })
}

function submitSlow(
  batch: Batch,
  options: SubmitOptions,
  deadline: AbortSignal,
): Promise<readonly OpResult[]> {
  const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline])
  return submit(batch, { signal, lane: 'slow' })
}

interface EncodedOperation extends OpFields {
  readonly code: OpCode
  readonly path: string
}

function encode(operation: Operation): EncodedOperation {
  const path = operation.path.slice(1)
  switch (operation.kind) {
    case 'make-directory':
      return { code: OpCode.MakeDir, path, isOptional: operation.shared }
    case 'tag':
      return { code: OpCode.SetXattr, path, arg: operation.attribute, value: operation.owner }
    case 'write-knob':
      return { code: OpCode.Write, path: file(path, operation.knob), value: operation.value }
    case 'device-program':
      return { ...encodeProgram(operation), path }
    case 'freeze':
      return { code: OpCode.Write, path: file(path, FREEZER_STATE), value: 'FROZEN' }
    case 'thaw':
      return { code: OpCode.Write, path: file(path, FREEZER_STATE), value: 'THAWED' }
    case 'move-process':
      return { code: OpCode.WriteIds, path: file(path, 'cgroup.procs'), ids: [operation.pid] }
    case 'move-threads':
      return {
        code: OpCode.WriteIds,
        path: file(path, threadsFile(operation.hierarchy)),
        ids: operation.tids,
      }
    case 'remove-directory':
      return { code: OpCode.RemoveDir, path }
  }
}

function file(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`
}

function outcomeOf(operation: Operation, result: OpResult, plan: Plan): OperationOutcome {
  const { microseconds } = result
  const isMadeByAnother = operation.kind === 'make-directory' && operation.shared && result.errno === EEXIST
  const written =
    operation.kind === 'move-process'
      ? [operation.pid]
      : operation.kind === 'move-threads'
        ? operation.tids
        : []
  const directory = `${plan.mounts[operation.hierarchy] ?? ''}${operation.path}`
  return {
    operation,
    errno: isMadeByAnother ? 0 : result.errno,
    microseconds,
    ...(operation.kind === 'device-program' && programResult(operation, result, plan.sandbox, directory)),
    ids: written.map((id, index) => ({
      id,
      errno: result.errno === 0 ? (result.idErrnos[index] ?? -1) : -1,
    })),
  }
}
