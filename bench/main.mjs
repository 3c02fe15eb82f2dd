// `npm run bench [-- [--threads N] [--repetitions N] search terms]` measures vmcg beside other ways to do the same.
// A search term is a part of `<trial> <driver>`; all of them have to fit. It judges nothing: how fast a host is today
// says more about the host. Exit code 2: it cannot run here.

import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { abortAtTheEnd, Ending } from './ending.mjs'
import { makeFolder } from './folders.mjs'
import { formatTable } from './table.mjs'
import { migrate } from './trials/migrate.mjs'

/**
 * @typedef {{ name: string, values: number[] }} DriverResult a value for each repetition
 *
 * @typedef {object} TrialOptions
 * @property {number} threads
 * @property {number} repetitions the drivers take turns, so that a busy moment of the host hits all of them
 * @property {readonly string[]} drivers
 * @property {AbortSignal} signal
 *
 * @typedef {object} Trial
 * @property {string} name
 * @property {string} unit
 * @property {readonly string[]} drivers each runs in a process of its own
 * @property {(options: TrialOptions) => Promise<DriverResult[]>} run leaves nothing behind, however it ends
 */

/** @type {readonly Trial[]} */
const TRIALS = [migrate]

/** @param {string} name @param {string} text */
function count(name, text) {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Ending(`--${name} takes a number from 1 to 999999, not ${text}`)
  return Number(text)
}

function readArguments() {
  const options = /** @type {const} */ ({
    threads: { type: 'string', default: '1000' },
    repetitions: { type: 'string', default: '21' },
  })
  const { values, positionals: terms } = parseArgs({ options, allowPositionals: true })
  const chosen = TRIALS.map((trial) => ({
    trial,
    drivers: trial.drivers.filter((driver) =>
      terms.every((term) => `${trial.name} ${driver}`.includes(term)),
    ),
  })).filter(({ drivers }) => drivers.length > 0)
  if (chosen.length === 0) {
    const all = TRIALS.flatMap(({ name, drivers }) => drivers.map((driver) => `${name} ${driver}`))
    throw new Ending(`nothing fits "${terms.join(' ')}"; there is ${all.join(', ')}`)
  }
  return {
    chosen,
    threads: count('threads', values.threads),
    repetitions: count('repetitions', values.repetitions),
  }
}

/** @param {AbortSignal} signal */
async function main(signal) {
  const { chosen, threads, repetitions } = readArguments()
  const machine = {
    kernel: release(),
    cpus: availableParallelism(),
    model: cpus()[0]?.model ?? 'unknown',
    node: process.version,
    load: loadavg()[0] ?? 0,
  }
  const { kernel, model, node, load } = machine
  console.log(`Linux ${kernel}, ${machine.cpus} × ${model}, Node ${node}, load ${load.toFixed(1)}`)
  const date = new Date().toISOString()
  const trials = []
  for (const { trial, drivers } of chosen) {
    const results = await trial.run({ threads, repetitions, drivers, signal })
    console.log(`\n${trial.name}: ${threads} threads, median of ${repetitions}`)
    console.log(formatTable(results, trial.unit))
    trials.push({ name: trial.name, unit: trial.unit, threads, repetitions, results })
  }
  const file = join(makeFolder('.cache/bench'), `${date.replaceAll(':', '-')}-${process.pid}.json`)
  writeFileSync(file, `${JSON.stringify({ date, machine, trials }, null, 1)}\n`)
  console.log(`\nsaved in ${relative(process.cwd(), file)}`)
}

const signal = abortAtTheEnd()
try {
  await main(signal)
} catch (error) {
  const cause = signal.aborted ? signal.reason : error
  console.error(cause instanceof Ending ? `bench: ${cause.message}` : cause)
  process.exitCode = cause instanceof Ending ? cause.exitCode : 1
}
