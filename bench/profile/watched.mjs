import { readdirSync, readFileSync } from 'node:fs'
import { isRun } from './orders.mjs'

/** @import { LineProcess } from '../line-process.mjs' */

/** A driver of which is noted how long its runs take, and what they take of the CPUs. In microseconds. */
export class Watched {
  #driver
  /** Of each run, also of what it does on other threads. @type {number[]} */
  cpu = []

  /** @param {LineProcess} driver */
  constructor(driver) {
    this.#driver = driver
  }

  get pid() {
    return this.#driver.pid
  }

  /** @param {string} line */
  async ask(line) {
    const before = cpuTime(this.pid)
    const answer = await this.#driver.ask(line)
    if (isRun(line)) this.cpu.push(cpuTime(this.pid) - before)
    return answer
  }

  end() {
    return this.#driver.end()
  }
}

/**
 * Source: kernel, Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat".
 *
 * @param {number} pid
 * @returns {number} of all threads that it has now, in microseconds
 */
function cpuTime(pid) {
  const folder = `/proc/${pid}/task`
  const nanoseconds = readdirSync(folder).map((tid) => {
    try {
      return Number(readFileSync(`${folder}/${tid}/schedstat`, 'utf8').split(' ')[0])
    } catch {
      return 0
    }
  })
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1000
}
