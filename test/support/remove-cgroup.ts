import { rmdirSync, statSync } from 'node:fs'

const TRIES = 400
const PAUSE_MS = 5

/**
 * Removes the directory of a cgroup; one that is not there is none. The kernel keeps it busy for a while after its last
 * process has ended, so that is waited for: for some seconds, without giving anybody else a turn.
 */
export function removeCgroup(directory: string): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  for (let tries = 1; statSync(directory, { throwIfNoEntry: false }) !== undefined; tries += 1) {
    try {
      rmdirSync(directory)
    } catch (error) {
      if (Reflect.get(Object(error), 'code') !== 'EBUSY' || tries === TRIES) throw error
      Atomics.wait(sleeper, 0, 0, PAUSE_MS)
    }
  }
}
