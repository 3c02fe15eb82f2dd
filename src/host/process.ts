import { readdirSync, readFileSync } from 'node:fs'
import { VmcgError } from '../errors'
import { quote, short } from '../model/quote'
import { type ProcCgroup, parseProcCgroup } from './proc-cgroup'

const DEFAULT_PROC = '/proc'

interface SystemError {
  readonly code: string
  readonly errno?: number
  readonly syscall?: string
}

function isSystemError(error: unknown): error is SystemError {
  // Told by its shape: an error of Node's own is no instance of another realm's Error.
  return typeof error === 'object' && error !== null && typeof Reflect.get(error, 'code') === 'string'
}

/** What `look` finds in a process's directory; undefined when the process is gone, before the look or during it. */
function ofProcess<T>(procRoot: string, pid: number, name: string, look: (path: string) => T): T | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) {
    throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${quote(pid)} is no process id`, { value: short(pid) })
  }
  const path = `${procRoot}/${pid}/${name}`
  try {
    return look(path)
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    // ENOENT: gone before the open. ESRCH: gone between the open and the read.
    if (cause.code === 'ENOENT' || cause.code === 'ESRCH') return undefined
    const { code, errno, syscall } = cause
    throw new VmcgError(code, `${path} cannot be read (${code})`, { path, errno, syscall, cause })
  }
}

function readText(path: string): string {
  return readFileSync(path, 'utf8')
}

/**
 * The cgroups of a process's main thread, one per hierarchy.
 *
 * @param pid Above 0, in the pid namespace of `procRoot`.
 * @returns undefined when there is no such process.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what can be no pid; the kernel's code, such as `EACCES`, when it refuses.
 */
export function readProcessCgroups(pid: number, procRoot = DEFAULT_PROC): ProcCgroup[] | undefined {
  return ofProcess(procRoot, pid, 'cgroup', (path) => parseProcCgroup(readText(path)))
}

/**
 * When a process was started, in clock ticks since boot. Together with the pid it names one process for ever, while
 * the pid alone may be given to another.
 *
 * @returns undefined when there is no such process. Errors as {@link readProcessCgroups}.
 *
 * Source: proc_pid_stat(5), field 22.
 */
export function readStartTime(pid: number, procRoot = DEFAULT_PROC): number | undefined {
  return ofProcess(procRoot, pid, 'stat', (path) => startTimeOf(readText(path)))
}

/**
 * A field of proc_pid_stat(5), counted from 1. Field 2, the name in parentheses, may itself hold spaces and
 * parentheses.
 */
function statField(stat: string, field: number): string | undefined {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 1)
    .trim()
    .split(' ')
  return fields[field - 3]
}

/** Field 22 of a stat line. */
export function startTimeOf(stat: string): number | undefined {
  const ticks = statField(stat, 22)
  return ticks === undefined ? undefined : Number(ticks)
}

/**
 * The process that a thread belongs to, and the parent of that process: 0 when it has none that can be seen.
 *
 * @returns undefined when there is no such thread. Errors as {@link readProcessCgroups}.
 *
 * Source: proc_pid_status(5), Tgid and PPid.
 */
export function readLineage(
  tid: number,
  procRoot = DEFAULT_PROC,
): { readonly tgid: number; readonly ppid: number } | undefined {
  return ofProcess(procRoot, tid, 'status', (path) => {
    const status = readText(path)
    const number = (key: string) => Number(new RegExp(`^${key}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0)
    return { tgid: number('Tgid'), ppid: number('PPid') }
  })
}

/** True while a thread id names the thread that was seen with this start time. /proc has every thread, if unlisted. */
export function isSameThread({
  tid,
  startTime,
}: {
  readonly tid: number
  readonly startTime: number
}): boolean {
  return readStartTime(tid) === startTime
}

/** SCHED_FIFO, SCHED_RR and SCHED_DEADLINE of include/uapi/linux/sched.h. */
const REALTIME_POLICIES: readonly number[] = [1, 2, 6]

/** True when a thread has a real-time policy; false when it is gone. Source: proc_pid_stat(5), policy. */
export function isRealtimeThread(tid: number, procRoot = DEFAULT_PROC): boolean {
  const stat = ofProcess(procRoot, tid, 'stat', readText)
  return stat !== undefined && REALTIME_POLICIES.includes(Number(statField(stat, 41)))
}

/** True when any thread of a process has a real-time policy; false when it is gone. */
export function isRealtimeProcess(pid: number, procRoot = DEFAULT_PROC): boolean {
  const tids = ofProcess(procRoot, pid, 'task', (path) => readdirSync(path)) ?? []
  return tids.some((tid) => isRealtimeThread(Number(tid), procRoot))
}
