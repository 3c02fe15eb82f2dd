'use strict'

const {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} = require('node:fs')
const { join } = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')

const POLL_MS = 100

/**
 * A process that cannot be mistaken for a later one with the same pid: `<pid>-<start time in ticks>`.
 *
 * @param {number} pid
 * @returns {string | undefined} undefined when there is no such process, or only its corpse
 */
function processName(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may itself hold spaces and parentheses; state is field 3, start time field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${pid}-${fields[19]}`
  } catch {
    return undefined
  }
}

/** @param {string} name */
function isAlive(name) {
  return processName(Number.parseInt(name, 10)) === name
}

/**
 * @template T
 * @param {readonly string[]} codes
 * @param {() => T} act
 * @returns {T | undefined} undefined when it failed with one of the codes
 */
function unless(codes, act) {
  try {
    return act()
  } catch (error) {
    if (codes.includes(/** @type {NodeJS.ErrnoException} */ (error).code ?? '')) return undefined
    throw error
  }
}

/**
 * @param {string} path
 * @returns {string | undefined} the process that holds the lock, or a child that its dead holder left at work
 */
function holder(path) {
  for (const name of unless(['ENOENT'], () => readdirSync(path)) ?? []) {
    const child = unless(['ENOENT'], () => readFileSync(join(path, name), 'utf8')) ?? ''
    const busy = [name, child].find(isAlive)
    if (busy !== undefined) return busy
    rmSync(join(path, name), { force: true })
  }
  return undefined
}

/**
 * Takes a lock between processes: a directory with one file that is named after its holder. rename(2) replaces an
 * empty directory and refuses a full one, so of any number of takers exactly one wins; and because a dead holder's
 * file is removed by its own name, clearing up can never hit the lock of a living one.
 *
 * @param {string} path the lock's directory; its parent exists
 * @param {{ signal?: AbortSignal | undefined, onWait?: ((pid: number) => void) | undefined }} [options]
 * @returns {Promise<{ noteChild(pid: number): void, release(): void }>} `noteChild`: the lock is held until this
 *   process has ended too, even when its parent is killed. Rejects with the signal's reason.
 */
async function takeLock(path, { signal, onWait } = {}) {
  const me = processName(process.pid) ?? `${process.pid}-0`
  const candidate = `${path}.${me}`
  const own = join(path, me)
  mkdirSync(candidate, { recursive: true })
  writeFileSync(join(candidate, me), '')
  try {
    for (let waited = false; ; waited = true) {
      const busy = holder(path)
      const taken = unless(['ENOTEMPTY', 'EEXIST'], () => renameSync(candidate, path) ?? true)
      if (taken) break
      if (busy !== undefined && !waited) onWait?.(Number.parseInt(busy, 10))
      await sleep(POLL_MS, undefined, { signal })
    }
  } catch (error) {
    rmSync(candidate, { recursive: true, force: true })
    throw signal?.aborted ? signal.reason : error
  }
  return {
    noteChild: (pid) => writeFileSync(own, processName(pid) ?? ''),
    release() {
      rmSync(own, { force: true })
      unless(['ENOENT', 'ENOTEMPTY', 'EEXIST'], () => rmdirSync(path))
    },
  }
}

module.exports = { processName, takeLock }
