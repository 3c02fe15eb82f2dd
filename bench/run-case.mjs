import { driverCommand } from './drivers.mjs'
import { Stage } from './stage.mjs'

/** @import { Case, CaseResult, DriverResult, Measured, Trial } from './trial.mjs' */
/** @import { LineProcess } from './line-process.mjs' */

/**
 * Runs all drivers of a case, in turns: a busy moment of the host hits all of them.
 *
 * @param {object} options
 * @param {Trial} options.trial
 * @param {Case} options.chosen
 * @param {readonly string[]} options.drivers that may take part
 * @param {number} options.repetitions
 * @param {AbortSignal} options.signal
 * @param {(text: string) => void} options.leaveOut is told what cannot be had here
 * @returns {Promise<CaseResult | undefined>} undefined where nothing of it can be had
 */
export async function runCase({ trial, chosen, drivers, repetitions, signal, leaveOut }) {
  const stage = new Stage(signal)
  try {
    const scene = await trial.scene(stage, chosen)
    if (typeof scene === 'string') {
      leaveOut(`${trial.name}, ${chosen.name}: ${scene}`)
      return undefined
    }
    const rounds = chosen.isOnce === true ? 1 : Math.min(repetitions, chosen.repetitions ?? repetitions)
    /** @type {{ name: string, driver: LineProcess, measured: Measured[] }[]} */
    const crew = []
    for (const name of drivers) {
      const start = scene.drivers[name]
      if (start === undefined) continue
      const command = driverCommand(name, trial.name)
      if ('missing' in command) {
        leaveOut(`${name}: ${command.missing}`)
        continue
      }
      const driver = stage.start([...command.command, ...start.args], scene.cwd ?? '/')
      await driver.ask(start.words)
      if (chosen.isOnce !== true) await warmUp(() => scene.measure(driver, name))
      await scene.check?.(driver, name)
      crew.push({ name, driver, measured: [] })
    }
    for (let repetition = 0; repetition < rounds; repetition += 1) {
      for (const { name, driver, measured } of crew) measured.push(await scene.measure(driver, name))
    }
    const { name, size, series } = chosen
    const results = crew.map((member) => resultOf(member))
    return results.length === 0 ? undefined : { name, size, ...(series !== undefined && { series }), results }
  } finally {
    await stage.end()
  }
}

/** What is done all the time is warm: its code is compiled and in the caches. What takes longer than this is not. */
const WARM_UP = { runs: 100, milliseconds: 300 }

/** @param {() => Promise<Measured>} measure */
async function warmUp(measure) {
  const begin = performance.now()
  let runs = 0
  do {
    await measure()
    runs += 1
  } while (runs < WARM_UP.runs && performance.now() - begin < WARM_UP.milliseconds)
}

/**
 * @param {{ name: string, measured: readonly Measured[] }} member
 * @returns {DriverResult}
 */
function resultOf({ name, measured }) {
  const values = measured.map((one) => (typeof one === 'number' ? one : one.value))
  const also = measured.flatMap((one) => (typeof one === 'number' ? [] : one.also))
  return { name, values, ...(also.length > 0 && { also }) }
}
