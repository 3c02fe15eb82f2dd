import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { CgroupError } from '../errors'

/** What a cgroup of v2 tells about itself and everything below it. The root of the hierarchy does not. */
export interface CgroupEvents {
  /** Some process is in it or below it; one that has ended and was not waited for is none. */
  readonly isPopulated: boolean
  /** Every thread in it and below it has stopped. False on kernels before Linux 5.2. */
  readonly isFrozen: boolean
}

export interface WaitOptions {
  /** How long to wait at most, in milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** The text of `cgroup.events`. Source: kernel, Documentation/admin-guide/cgroup-v2.rst. */
export function parseEvents(text: string): CgroupEvents {
  const lines = text.split('\n')
  return { isPopulated: lines.includes('populated 1'), isFrozen: lines.includes('frozen 1') }
}

/**
 * Waits until a cgroup of v2 is populated or not, frozen or not. The kernel tells of each change (inotify), so nobody
 * asks in between; the first look comes after the watch is there, so no change is missed.
 *
 * @param directory of the cgroup, absolute.
 * @returns true as soon as it holds, false when it does not within the time.
 * @throws `ENOENT` for a cgroup that is not there, or that goes meanwhile; `signal.reason` after an abort.
 */
export async function waitForEvent(
  directory: string,
  holds: (events: CgroupEvents) => boolean,
  { timeoutMs, signal }: WaitOptions,
): Promise<boolean> {
  signal?.throwIfAborted()
  const path = `${directory}/cgroup.events`
  const ends: (() => void)[] = []
  try {
    return await new Promise<boolean>((resolve, reject) => {
      const look = () => {
        try {
          if (holds(readEvents(path))) resolve(true)
        } catch (error) {
          reject(error)
        }
      }
      const abort = () => reject(signal?.reason)
      signal?.addEventListener('abort', abort, { once: true })
      ends.push(() => signal?.removeEventListener('abort', abort))
      ends.push(onChange(path, look, reject))
      const timer = setTimeout(() => {
        // A loop that was busy runs its timers before it hears of changes.
        look()
        resolve(false)
      }, timeoutMs)
      ends.push(() => clearTimeout(timer))
      look()
    })
  } finally {
    for (const end of ends) end()
  }
}

/** Synchronously: the kernel answers from what it has at hand, and takes no lock for it (cgroup_events_show). */
function readEvents(path: string): CgroupEvents {
  try {
    return parseEvents(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw eventsError(path, cause)
  }
}

const LOOK_EVERY_MS = 10

/**
 * Calls back after each change of a file of the kernel's. A host can be out of inotify instances and watches; then it
 * is called every now and then.
 *
 * @returns what ends it.
 */
function onChange(path: string, changed: () => void, failed: (error: unknown) => void): () => void {
  const watcher = watchOf(path)
  if (watcher === undefined) {
    const timer = setInterval(changed, LOOK_EVERY_MS)
    return () => clearInterval(timer)
  }
  watcher.on('change', changed)
  watcher.on('error', failed)
  return () => watcher.close()
}

/** Source: inotify(7), the limits in /proc/sys/fs/inotify. */
const OUT_OF_WATCHES: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOSPC']

/** undefined: the host has no more to give. */
function watchOf(path: string): FSWatcher | undefined {
  try {
    return watch(path)
  } catch (cause) {
    if (OUT_OF_WATCHES.includes(Reflect.get(Object(cause), 'code'))) return undefined
    throw eventsError(path, cause)
  }
}

/** A cgroup that goes between the open and the read says ENODEV. */
function eventsError(path: string, cause: unknown): CgroupError {
  const { code = 'EIO', errno, syscall } = Object(cause) as Partial<NodeJS.ErrnoException>
  if (code !== 'ENOENT' && code !== 'ENODEV') {
    return new CgroupError(code, `cannot watch ${path}: ${code}`, { errno, syscall, path, cause })
  }
  const message = `cannot watch ${path}: the cgroup is not there`
  return new CgroupError('ENOENT', message, { errno: -2, syscall, path, cause })
}
