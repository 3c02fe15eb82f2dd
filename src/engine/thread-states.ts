import { Batch, resultText } from './batch'
import { type Roots, type SubmitOptions, submit } from './lane'
import { OpCode } from './native'

export interface ThreadState {
  readonly tid: number
  readonly name: string
  /**
   * One letter: `R` running, `S` sleeping, `D` in a sleep that signals do not end, as which frozen threads show too.
   */
  readonly state: string
  /** The kernel function that it waits in; empty where it waits in none, or where we may not know. */
  readonly waitsIn: string
}

/**
 * What threads are doing now, in one batch. Those that have ended are left out.
 *
 * Source: proc_pid_stat(5), fields 2 and 3; proc_pid_wchan(5). Frozen threads show as `D` since Linux 6.1
 * (fs/proc/array.c, and TASK_FROZEN in include/linux/sched.h), and did before.
 */
export async function threadStates(
  roots: Roots,
  tids: readonly number[],
  options: SubmitOptions,
): Promise<readonly ThreadState[]> {
  const batch = new Batch()
  for (const tid of tids) {
    batch.nextGroup()
    batch.add(OpCode.Read, roots.id('/proc'), `${tid}/stat`)
    batch.add(OpCode.Read, roots.id('/proc'), `${tid}/wchan`)
  }
  const results = await submit(batch, options)
  return tids.flatMap((tid, index) => {
    const [stat, wchan] = results.slice(2 * index)
    if (stat?.errno !== 0) return []
    const text = resultText(stat)
    const [nameStart, nameEnd] = [text.indexOf('(') + 1, text.lastIndexOf(')')]
    const waitsIn = wchan?.errno === 0 ? resultText(wchan) : ''
    return [
      {
        tid,
        name: text.slice(nameStart, nameEnd),
        state: text.slice(nameEnd + 2, nameEnd + 3),
        waitsIn: waitsIn === '0' ? '' : waitsIn,
      },
    ]
  })
}

const SHOWN = 5

/** `'thread 7 (qemu, D in kernel_clone)'`, and so on for the first few. */
export function describeThreads(threads: readonly ThreadState[]): string {
  const shown = threads
    .slice(0, SHOWN)
    .map(
      ({ tid, name, state, waitsIn }) =>
        `thread ${tid} (${name}, ${state}${waitsIn === '' ? '' : ` in ${waitsIn}`})`,
    )
  const rest = threads.length - shown.length
  return [...shown, ...(rest > 0 ? [`${rest} more`] : [])].join(', ')
}
