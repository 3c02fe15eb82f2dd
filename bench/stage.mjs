import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BenchCgroups } from './cgroups.mjs'
import { LineProcess } from './line-process.mjs'

/** What a case of a trial uses of the host. All of it is taken away at its end, however it ends. */
export class Stage {
  /** @type {LineProcess[]} */
  #processes = []
  /** @type {string | undefined} */
  #folder
  cgroups = new BenchCgroups()

  /** @param {AbortSignal} signal kills the processes */
  constructor(signal) {
    this.signal = signal
  }

  /** For sockets and states. In memory where there is such a place: a host's /run is, too. */
  get folder() {
    this.#folder ??= makeFolderIn(['/dev/shm', tmpdir()])
    return this.#folder
  }

  /**
   * @param {readonly [string, ...string[]]} command
   * @param {string} cwd
   */
  start(command, cwd) {
    const process = new LineProcess(command, cwd, this.signal)
    this.#processes.push(process)
    return process
  }

  /** Safe to call twice. */
  async end() {
    // The last to come is the first to go: drivers let go of the VMs that they hold.
    for (const process of this.#processes.toReversed()) await process.end()
    await this.cgroups.remove()
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true })
  }
}

/**
 * @param {readonly string[]} parents
 * @returns {string} in the first where one can be made
 */
function makeFolderIn([parent = '.', ...others]) {
  try {
    return mkdtempSync(join(parent, 'vmcg-bench-'))
  } catch (error) {
    if (others.length === 0) throw error
    return makeFolderIn(others)
  }
}
