import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { driverCommand } from '../drivers.mjs'
import { Stage } from '../stage.mjs'
import { median } from '../table.mjs'
import { callsOfRuns, STRACE } from './calls.mjs'
import { partsOf } from './parts.mjs'
import { Watched } from './watched.mjs'

/**
 * @import { Case, Scene, Trial } from '../trial.mjs'
 * @import { Calls } from './calls.mjs'
 * @import { Parts } from './parts.mjs'
 */

/**
 * What the runs of a driver are made of.
 *
 * @typedef {object} DriverProfile
 * @property {string} name
 * @property {number} first the median of the first runs, in the trial's unit
 * @property {number} later that of the last runs
 * @property {number} runs so many came before those
 * @property {number} cpu microseconds of the CPUs that one of the last runs takes, on all threads
 * @property {Calls} [calls] system calls of one run; none without `strace`
 * @property {Parts} [parts] of a driver in Node: what its main thread does in the later half of its runs
 *
 * @typedef {{ trial: string, case: string, unit: string, drivers: DriverProfile[] }} CaseProfile
 */

/** So many runs are the first ones, and the last ones. */
const FEW = 8
const MOST_RUNS = 300
const LONGEST_MS = 4_000
/** A run under strace is like any other one but for its time. */
const TRACED_RUNS = 2

/**
 * Runs each driver of a case often, and again while its system calls are counted and its functions are sampled.
 *
 * @param {object} options
 * @param {Trial} options.trial
 * @param {Case} options.chosen
 * @param {readonly string[]} options.drivers
 * @param {AbortSignal} options.signal
 * @param {(text: string) => void} options.leaveOut
 * @returns {Promise<CaseProfile | undefined>} undefined where this host has nothing of it
 */
export async function profileCase({ trial, chosen, drivers, signal, leaveOut }) {
  const stage = new Stage(signal)
  try {
    const scene = await trial.scene(stage, chosen)
    if (typeof scene === 'string') {
      leaveOut(`profile of ${trial.name}, ${chosen.name}: ${scene}`)
      return undefined
    }
    const hasStrace = spawnSync('strace', ['-V']).status === 0
    if (!hasStrace) leaveOut('system calls: apt-get install strace')
    const profiles = []
    for (const name of drivers) {
      const command = driverCommand(name, trial.name)
      if (scene.drivers[name] === undefined || 'missing' in command) continue
      const driver = new ProfiledDriver(stage, scene, name, command.command)
      const { runs, ...times } = await driver.time()
      profiles.push({
        ...{ name, runs, ...times },
        ...(hasStrace && { calls: await driver.calls() }),
        ...(command.command[0] === process.execPath && { parts: await driver.parts(runs + FEW) }),
      })
    }
    return { trial: trial.name, case: chosen.name, unit: trial.unit, drivers: profiles }
  } finally {
    await stage.end()
  }
}

/** One driver of a scene, which is started anew for each way to look at it. */
class ProfiledDriver {
  #stage
  #scene
  #name
  #command

  /**
   * @param {Stage} stage
   * @param {Scene} scene
   * @param {string} name
   * @param {readonly [string, ...string[]]} command
   */
  constructor(stage, scene, name, command) {
    this.#stage = stage
    this.#scene = scene
    this.#name = name
    this.#command = command
  }

  async time() {
    const { values, cpu } = await this.#run(this.#command, isEnough)
    return {
      first: median(values.slice(0, FEW)),
      later: median(values.slice(-FEW)),
      runs: Math.max(values.length - FEW, 0),
      cpu: median(cpu.slice(-FEW)),
    }
  }

  async calls() {
    const log = join(this.#stage.folder, 'strace')
    await this.#run([...STRACE, log, ...this.#command], (runs) => runs > TRACED_RUNS)
    // The first run pays for what a program does once.
    return callsOfRuns(readFileSync(log, 'latin1')).at(-1) ?? []
  }

  /** @param {number} most */
  async parts(most) {
    const file = join(this.#stage.folder, 'profile')
    const command = ['env', `VMCG_BENCH_PROFILE=${file}`, ...this.#command]
    await this.#run(command, (runs) => runs >= most)
    return partsOf(JSON.parse(readFileSync(file, 'utf8')), Math.floor(most / 2))
  }

  /**
   * @param {readonly string[]} command
   * @param {(runs: number, milliseconds: number) => boolean} isOver
   */
  async #run([program = '', ...own], isOver) {
    const { args = [], words = '' } = this.#scene.drivers[this.#name] ?? {}
    const process = this.#stage.start([program, ...own, ...args], this.#scene.cwd ?? '/')
    await process.ask(words)
    const driver = new Watched(process)
    const begin = performance.now()
    const values = []
    do {
      const measured = await this.#scene.measure(driver, this.#name)
      values.push(typeof measured === 'number' ? measured : measured.value)
    } while (!isOver(values.length, performance.now() - begin))
    await process.end()
    return { values, cpu: driver.cpu }
  }
}

/** @param {number} runs @param {number} milliseconds */
function isEnough(runs, milliseconds) {
  return runs >= MOST_RUNS || (milliseconds > LONGEST_MS && runs >= 2 * FEW)
}
