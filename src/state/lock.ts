import { readFileSync, unlinkSync } from 'node:fs'
import { native } from '../engine/native'
import { pause } from '../engine/pause'
import { CgroupError, errnoName, errnoText, VmcgError } from '../errors'
import { short } from '../model/quote'

export interface LockOptions {
  /** How long to wait for another holder, in milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** A lock that is held. One mechanism serves two objects, two workers and two processes. */
export interface HeldLock {
  /** Removes the file with the lock: for when what it protects is gone. Safe to call twice. */
  removeFile(): void
  release(): void
}

const EWOULDBLOCK = 11
const RETRY_MS = 10
/** Those of the largest pid, PID_MAX_LIMIT of include/linux/threads.h. */
const PID_DIGITS = 7

/**
 * Takes flock(2) on a file, waiting for whoever holds it. The kernel releases it when the holder ends, however it
 * ends. The file holds the pid of its holder, for the message that others get.
 *
 * @throws `ERR_VMCG_BUSY` after `timeoutMs`, naming the holder; the kernel's error where the file cannot be opened or
 *   written; `ERR_VMCG_INVALID_ARGUMENT` for a `timeoutMs` that is no number of 0 or more; `signal.reason` after an
 *   abort.
 */
export async function takeLock(path: string, options: LockOptions): Promise<HeldLock> {
  // Not a number compares as false with every deadline, and would wait for ever.
  if (typeof options.timeoutMs !== 'number' || !(options.timeoutMs >= 0)) {
    throw new VmcgError(
      'ERR_VMCG_INVALID_ARGUMENT',
      "a lock's timeout is a number of milliseconds, 0 or more",
      {
        value: short(options.timeoutMs),
      },
    )
  }
  // All of one length, so that nothing of another's is left.
  const holder = `${process.pid}`.padEnd(PID_DIGITS).concat('\n')
  const deadline = performance.now() + options.timeoutMs
  for (;;) {
    options.signal?.throwIfAborted()
    const fd = native().lockFile(path, holder)
    if (fd >= 0) return held(path, fd)
    if (fd !== -EWOULDBLOCK) {
      throw new CgroupError(errnoName(-fd), `cannot lock ${path}: ${errnoText(-fd)}`, {
        errno: fd,
        syscall: 'flock',
        path,
      })
    }
    if (performance.now() >= deadline) throw busy(path, options.timeoutMs)
    await pause(RETRY_MS, options.signal)
  }
}

function held(path: string, fd: number): HeldLock {
  let isRemoved = false
  return {
    removeFile: () => {
      // Once: whoever makes the file anew holds another lock, which is not ours to remove.
      if (!isRemoved) unlinkSync(path)
      isRemoved = true
    },
    release: () => {
      native().closeFd(fd)
    },
  }
}

function busy(path: string, timeoutMs: number): VmcgError {
  const holder = holderOf(path)
  const who = holder === undefined ? 'another process' : `process ${holder}`
  return new VmcgError(
    'ERR_VMCG_BUSY',
    `${who} has been working on these cgroups for over ${timeoutMs} ms (${path})`,
    {
      path,
      hint: holder === undefined ? undefined : `ps -p ${holder} -o pid,etime,args`,
    },
  )
}

function holderOf(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'latin1'), 10)
    return pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}
