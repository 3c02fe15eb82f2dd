import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'

/**
 * @typedef {import('node:inspector').Profiler.Profile} CpuProfile
 * @typedef {readonly [begin: number, end: number]} Span in microseconds of the profile's clock
 * @typedef {{ profile: CpuProfile, runs: readonly Span[] }} SavedProfile
 */

const INTERVAL_MICROSECONDS = 100

/** What V8 did in each run of this driver, for bench/profile. */
export class Profiler {
  #session = new Session()
  /** @type {Span[]} */
  #runs = []

  static async start() {
    const profiler = new Profiler()
    profiler.#session.connect()
    await profiler.#session.post('Profiler.enable')
    await profiler.#session.post('Profiler.setSamplingInterval', { interval: INTERVAL_MICROSECONDS })
    await profiler.#session.post('Profiler.start')
    return profiler
  }

  /**
   * @template T
   * @param {() => T | Promise<T>} run
   */
  async watch(run) {
    const begin = now()
    const answer = await run()
    this.#runs.push([begin, now()])
    return answer
  }

  /** @param {string} file */
  async save(file) {
    const { profile } = await this.#session.post('Profiler.stop')
    this.#session.disconnect()
    writeFileSync(file, JSON.stringify({ profile, runs: this.#runs }))
  }
}

/** By the clock that V8 takes: CLOCK_MONOTONIC. */
function now() {
  return Number(process.hrtime.bigint() / 1000n)
}
