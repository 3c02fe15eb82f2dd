import { readdirSync } from 'node:fs'
import { constants } from 'node:os'
import { VmcgError } from '../errors'
import { quote, short } from '../model/quote'
import { pause } from './pause'

export interface KillOptions {
  readonly signal?: AbortSignal | undefined
  /**
   * What is sent. Any other than SIGKILL is sent once, to those that the first look finds, and nothing is waited for:
   * it may be ignored, or taken for something else than an order to end. @default 'SIGKILL'
   */
  readonly killSignal?: NodeJS.Signals | number | undefined
  /** Called after each round of signals: lets go of what is frozen, which ends only then. */
  readonly release?: (() => Promise<void>) | undefined
}

/** How long those that were killed have to end. */
export const KILL_DEADLINE_MS = 5000
const PAUSE_MS = 5

/**
 * Kills every thread's process until a look finds none: what is forked meanwhile is found by the next look.
 *
 * @param look the threads (or processes) that are there now.
 * @param name of what is killed, for errors.
 * @throws `EPERM` for a process of somebody else's, after all others were signalled; `ERR_VMCG_BUSY` when this very
 *   process is among them, before anything is killed, and when some are still there after five seconds (a process in
 *   uninterruptible sleep); `ERR_VMCG_INVALID_ARGUMENT` for a `killSignal` that does not exist.
 */
export async function killAll(
  look: () => Promise<readonly number[]>,
  name: string,
  options: KillOptions,
): Promise<void> {
  const { killSignal = 'SIGKILL', release } = options
  requireSignal(killSignal)
  const deadline = performance.now() + KILL_DEADLINE_MS
  for (let tids = await look(); tids.length > 0; tids = await look()) {
    refuseOwnProcess(tids, name)
    if (performance.now() > deadline) throw doNotEnd(tids, name)
    const [refusal] = tids.flatMap((tid) => kill(tid, killSignal, name) ?? [])
    await release?.()
    if (refusal !== undefined) throw refusal
    if (!isSigkill(killSignal)) return
    await pause(PAUSE_MS, options.signal)
  }
}

/** @throws `ERR_VMCG_BUSY` when this very process, or a thread of it, is among them. */
export function refuseOwnProcess(tids: readonly number[], name: string): void {
  const own = new Set([process.pid, ...readdirSync('/proc/self/task').map(Number)])
  if (!tids.some((tid) => own.has(tid))) return
  throw new VmcgError('ERR_VMCG_BUSY', `${name}: this process (${process.pid}) is itself inside`, {
    value: String(process.pid),
    hint: 'move it out first, or destroy without killing',
  })
}

export function doNotEnd(tids: readonly number[], name: string): VmcgError {
  return new VmcgError('ERR_VMCG_BUSY', `${name}: threads ${tids.join(' ')} do not end`, {
    value: tids.join(' '),
    hint: `cat /proc/${tids[0]}/stack`,
  })
}

/** The one signal that nobody can catch or ignore. */
export function isSigkill(killSignal: string | number): boolean {
  return killSignal === 'SIGKILL' || killSignal === constants.signals.SIGKILL
}

function requireSignal(killSignal: string | number): void {
  const isKnown = Object.entries(constants.signals).some((signal) => signal.includes(killSignal))
  if (isKnown) return
  throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${quote(killSignal)} is no signal`, {
    value: short(killSignal),
    hint: 'pass a name such as SIGTERM, or its number (kill -l)',
  })
}

/**
 * kill(2) on the id of any thread signals its whole process; 0 and below would mean whole groups of processes.
 *
 * @returns why it may not be signalled.
 */
function kill(tid: number, killSignal: NodeJS.Signals | number, name: string): VmcgError | undefined {
  if (tid <= 0) return undefined
  try {
    process.kill(tid, killSignal)
    return undefined
  } catch (cause) {
    const code: unknown = Reflect.get(Object(cause), 'code')
    if (code === 'ESRCH') return undefined
    return new VmcgError(String(code), `${name}: cannot kill thread ${tid}`, {
      cause,
      syscall: 'kill',
      value: String(tid),
      hint: `to see whose it is: ps -L -o pid,user,args ${tid}`,
    })
  }
}
