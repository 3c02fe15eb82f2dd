import { readdirSync } from 'node:fs'
import { VmcgError } from '../errors'
import { pause } from './pause'

export interface KillOptions {
  readonly signal?: AbortSignal | undefined
}

const DEADLINE_MS = 5000
const PAUSE_MS = 5

/**
 * Kills every thread's process until a look finds none: what is forked meanwhile is found by the next look.
 *
 * @param look the threads that are there now.
 * @throws `EPERM` for a process of somebody else's; `ERR_VMCG_BUSY` when this very process is among them, before anything is killed, and when some are still
 *   there after five seconds (a process in uninterruptible sleep).
 */
export async function killAll(
  look: () => Promise<readonly number[]>,
  name: string,
  options: KillOptions,
): Promise<void> {
  const own = new Set(readdirSync('/proc/self/task').map(Number))
  const deadline = performance.now() + DEADLINE_MS
  for (let tids = await look(); tids.length > 0; tids = await look()) {
    if (tids.some((tid) => own.has(tid))) {
      throw new VmcgError(
        'ERR_VMCG_BUSY',
        `${name}: this process (${process.pid}) is itself in the sandbox`,
        {
          value: String(process.pid),
          hint: 'move it out first, or destroy with processes: "move"',
        },
      )
    }
    if (performance.now() > deadline) {
      throw new VmcgError('ERR_VMCG_BUSY', `${name}: threads ${tids.join(' ')} do not end`, {
        value: tids.join(' '),
        hint: `cat /proc/${tids[0]}/stack`,
      })
    }
    for (const tid of tids) kill(tid, name)
    await pause(PAUSE_MS, options.signal)
  }
}

/** kill(2) on the id of any thread signals its whole process; 0 and below would mean whole groups of processes. */
function kill(tid: number, name: string): void {
  if (tid <= 0) return
  try {
    process.kill(tid, 'SIGKILL')
  } catch (cause) {
    const code: unknown = Reflect.get(Object(cause), 'code')
    if (code === 'ESRCH') return
    throw new VmcgError(String(code), `${name}: cannot kill thread ${tid}`, {
      cause,
      syscall: 'kill',
      value: String(tid),
      hint: `to see whose it is: ps -L -o pid,user,args ${tid}`,
    })
  }
}
