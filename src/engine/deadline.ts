import { CgroupError } from '../errors'
import type { Plan, Stage, WriteKnob } from '../plan/operations'

/** What to do about a write that the kernel does not come back from in time. */
export interface Deadline {
  /** In milliseconds. */
  readonly deadlineMs: number
  /** Told of work that goes on after it was given up: nobody else may begin until that has ended. */
  readonly onOverdue: (work: Promise<unknown>) => void
}

/**
 * Waits for work that can block long, and no longer than the deadline. What the kernel has begun it cannot be told to
 * leave, so the work goes on.
 *
 * @param blocking the writes that can block.
 * @throws `ERR_VMCG_TIMEOUT` naming the knob and the value.
 */
export async function withinDeadline<T>(
  work: Promise<T>,
  { deadlineMs, onOverdue }: Deadline,
  plan: Plan,
  blocking: readonly WriteKnob[],
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const overdue = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      onOverdue(work)
      reject(timeout(deadlineMs, plan, blocking))
    }, deadlineMs)
  })
  try {
    return await Promise.race([work, overdue])
  } finally {
    clearTimeout(timer)
  }
}

function timeout(deadlineMs: number, plan: Plan, blocking: readonly WriteKnob[]): CgroupError {
  const [first] = blocking
  const knobs = blocking.map(({ hierarchy, path, knob }) => `${plan.mounts[hierarchy] ?? ''}${path}/${knob}`)
  return new CgroupError(
    'ERR_VMCG_TIMEOUT',
    `sandbox ${plan.sandbox}: the kernel has not come back from ${knobs.join(', ')} for ${deadlineMs} ms, and goes on with it`,
    {
      syscall: 'write',
      path: knobs[0],
      value: first?.value,
      hint: 'it reclaims or migrates memory; other calls for this sandbox wait until it has ended, then apply() again',
    },
  )
}

/** The stages of a plan that can block are given this long unless somebody says otherwise. */
export const DEFAULT_DEADLINE_MS = 30_000

/**
 * What can keep the kernel busy for long: a memory limit below what is used makes it reclaim first (hundreds of
 * milliseconds for some GB of page cache), a change of memory nodes may migrate pages.
 */
export function blockingWrites(stage: Stage): readonly WriteKnob[] {
  return stage.operations.flatMap((operation) =>
    operation.kind === 'write-knob' && BLOCKING_KNOBS.includes(operation.knob) ? [operation] : [],
  )
}

const BLOCKING_KNOBS: readonly string[] = [
  'memory.limit_in_bytes',
  'memory.memsw.limit_in_bytes',
  'cpuset.mems',
]
