import { readdirSync, readFileSync } from 'node:fs'
import { VmcgError } from '../errors'

// Which host threads a process has, from /proc. The reads are synchronous: procfs makes its answers in memory, within
// microseconds each, and an answer about threads should not wait behind a busy thread pool.

/** A process that is alive. */
export interface ProcessView {
  /** Ticks after boot: with the pid it names one process for good. */
  readonly startTime: number
  /** The pid of the process that this id is a thread of: the id itself, unless it names a further thread. */
  readonly tgid: number
  /** Whether the process lives in a pid namespace below the one that /proc shows. */
  readonly isNested: boolean
}

const PROC = '/proc'
/** include/linux/sched.h, PF_EXITING: on its way out. Set before a dying process's sockets close. */
const PF_EXITING = 0x4

/**
 * @param pid a process id as /proc shows it
 * @param proc where procfs is
 * @returns undefined for a process that has ended, also for one that is ending, or that nobody has waited for yet
 * @throws VmcgError with the kernel's name when /proc cannot be read
 */
export function viewProcess(pid: number, proc = PROC): ProcessView | undefined {
  const stat = readIfThere(`${proc}/${pid}/stat`)
  const status = readIfThere(`${proc}/${pid}/status`)
  if (stat === undefined || status === undefined) return undefined
  const startTime = startOfLiving(stat)
  if (startTime === undefined) return undefined
  return {
    startTime,
    tgid: statusIds(status, 'Tgid')[0] ?? pid,
    isNested: statusIds(status, 'NSpid').length > 1,
  }
}

/** As {@link viewProcess}, of a process that is known otherwise: its start time, or undefined when it has ended. */
export function livingStartTime(pid: number, proc = PROC): number | undefined {
  const stat = readIfThere(`${proc}/${pid}/stat`)
  return stat === undefined ? undefined : startOfLiving(stat)
}

function startOfLiving(stat: string): number | undefined {
  const { state, flags, startTime } = parseStat(stat)
  return state === 'Z' || state === 'X' || (flags & PF_EXITING) !== 0 ? undefined : startTime
}

/**
 * The host's ids of a process's threads.
 *
 * @param wanted thread ids as the process itself knows them, in its own pid namespace
 * @param isNested as {@link viewProcess} says; where it is false, the ids are the host's own
 * @returns wanted id → host tid; what is not there is missing from it
 * @throws VmcgError with the kernel's name when /proc cannot be read
 */
export function hostTids(
  pid: number,
  wanted: ReadonlySet<number>,
  isNested: boolean,
  proc = PROC,
): Map<number, number> {
  const found = new Map<number, number>()
  for (const tid of listTasks(pid, proc)) {
    if (found.size === wanted.size) break
    const ownTid = isNested ? innermostTid(pid, tid, proc) : tid
    if (ownTid !== undefined && wanted.has(ownTid)) found.set(ownTid, tid)
  }
  return found
}

function listTasks(pid: number, proc: string): number[] {
  try {
    return readdirSync(`${proc}/${pid}/task`).map(Number)
  } catch (error) {
    return absentOr(error, [])
  }
}

/** A thread's id in the innermost pid namespace that it lives in: the last column of NSpid. */
function innermostTid(pid: number, tid: number, proc: string): number | undefined {
  const status = readIfThere(`${proc}/${pid}/task/${tid}/status`)
  return status === undefined ? undefined : statusIds(status, 'NSpid').at(-1)
}

/** Fields 3, 9 and 22 of proc_pid_stat(5). The name before them may hold blanks and parentheses. */
function parseStat(stat: string): { state: string; flags: number; startTime: number } {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', flags: Number(fields[6]), startTime: Number(fields[19]) }
}

/** The numbers of one line of proc_pid_status(5); none where this kernel lacks the line. */
function statusIds(status: string, key: string): number[] {
  const line = status.split('\n').find((text) => text.startsWith(`${key}:`))
  return line?.split(/\s+/).slice(1).map(Number) ?? []
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    return absentOr(error, undefined)
  }
}

/** A process can end between open and read (ESRCH) as well as before (ENOENT). */
function absentOr<T>(error: unknown, absent: T): T {
  const { code = 'EIO', errno, path, syscall } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ESRCH') return absent
  throw new VmcgError(code, `cannot look at the VMM's threads: ${code}`, {
    errno,
    path,
    syscall,
    cause: error,
  })
}
