// `npm run bench [-- [--up-to N] [--repetitions N] [--profile] search terms]` measures vmcg beside other ways to do the
// same. A search term is a part of `<trial> <driver>`; all of them have to fit. `--up-to 1000` leaves larger sizes out;
// `--profile` shows what runs are made of, which a whole run does at its end. It judges nothing: how fast a host is today
// says more about the host. Exit code 2: it cannot run here.

import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { readArguments } from './arguments.mjs'
import { abortAtTheEnd, Ending } from './ending.mjs'
import { makeFolder } from './folders.mjs'
import { formatGoals } from './goals.mjs'
import { describeMachine } from './machine.mjs'
import { formatMachine } from './machine-text.mjs'
import { formatProfile } from './profile/format.mjs'
import { profileCase } from './profile/profile-case.mjs'
import { runCase } from './run-case.mjs'
import { formatRun } from './run-file.mjs'
import { formatTable } from './table.mjs'

/**
 * @import { Run } from './run-file.mjs'
 * @import { TrialResult } from './trial.mjs'
 */

/** @param {AbortSignal} signal */
async function main(signal) {
  const { chosen, profiled, upTo, repetitions, isWhole } = readArguments(process.argv.slice(2))
  const date = new Date().toISOString()
  const machine = describeMachine()
  console.log(formatMachine(machine))
  /** @type {Set<string>} */
  const leftOut = new Set()
  const leaveOut = (/** @type {string} */ text) => {
    if (!leftOut.has(text)) console.log(`left out: ${text}`)
    leftOut.add(text)
  }
  /** @type {TrialResult[]} */
  const trials = []
  for (const { trial, drivers } of chosen) {
    const { name, what, unit, axis, also } = trial
    const cases = []
    for (const one of trial.cases().filter(({ size }) => size <= upTo)) {
      signal.throwIfAborted()
      showProgress(`${name}: ${one.name}`)
      const options = { trial, chosen: one, drivers, repetitions, signal, leaveOut }
      const result = await runCase(options).catch((error) => {
        if (signal.aborted || error instanceof Ending) throw error
        // What was measured before and what comes after it is as true as ever.
        process.exitCode = 1
        console.error(error)
        leaveOut(`${name}, ${one.name}: ${error.message}`)
        return undefined
      })
      showProgress('')
      if (result === undefined) continue
      console.log(`\n${name}: ${one.name}`)
      console.log(formatTable(result.results, trial))
      cases.push(result)
    }
    if (cases.length > 0) trials.push({ name, what, unit, axis, ...(also !== undefined && { also }), cases })
  }
  const profiles = []
  for (const one of profiled) {
    signal.throwIfAborted()
    showProgress(`profile of ${one.trial.name}: ${one.chosen.name}`)
    const profile = await profileCase({ ...one, signal, leaveOut })
    showProgress('')
    if (profile === undefined) continue
    console.log(`\n${formatProfile(profile)}`)
    profiles.push(profile)
  }
  const goals = formatGoals(trials)
  if (goals !== '') console.log(`\n${goals}`)
  const file = join(makeFolder('.cache/bench'), `${date.replaceAll(':', '-')}-${process.pid}.json`)
  const run = { date, machine, leftOut: [...leftOut], trials, profiles }
  writeFileSync(file, formatRun(run))
  console.log(`\nsaved in ${relative(process.cwd(), file)}`)
  if (isWhole) await report(run, makeFolder('.cache/bench/report'))
}

/**
 * After all is measured and saved: what draws takes a while to load.
 *
 * @param {Run} run
 * @param {string} folder
 */
async function report(run, folder) {
  const { writeReport } = await import('./report/write.mjs')
  console.log(`report in ${relative(process.cwd(), await writeReport(run, folder))}`)
}

/**
 * A line that the next one replaces, where somebody watches.
 *
 * @param {string} text
 */
function showProgress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

const signal = abortAtTheEnd()
try {
  await main(signal)
} catch (error) {
  const cause = signal.aborted ? signal.reason : error
  console.error(cause instanceof Ending ? `bench: ${cause.message}` : cause)
  process.exitCode = cause instanceof Ending ? cause.exitCode : 1
}
