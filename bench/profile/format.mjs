import { formatRows } from '../table.mjs'

/**
 * @import { Calls } from './calls.mjs'
 * @import { Parts } from './parts.mjs'
 * @import { CaseProfile, DriverProfile } from './profile-case.mjs'
 */

/** The rest is told as a sum. */
const MOST_CALLS = 9
const LEAST_SHARE = 0.01

/** @param {number} value */
const number = (value) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1))

/** @param {Calls} calls */
const sumOf = (calls) => calls.reduce((sum, [, count]) => sum + count, 0)

/** @param {CaseProfile} profile @returns {string} */
export function formatProfile(profile) {
  const sentences = profile.drivers.flatMap(profileSentences)
  return [
    `profile of ${profile.trial}: ${profile.case}`,
    formatRows(profileTable(profile)),
    ...sentences,
  ].join('\n')
}

/**
 * @param {CaseProfile} profile
 * @returns {readonly (readonly string[])[]} a row per driver, below a row of titles
 */
export function profileTable({ unit, drivers }) {
  return [
    [
      'driver',
      `first runs, ${unit}`,
      `later, ${unit}`,
      'after runs',
      'CPU, µs per run',
      'system calls per run',
    ],
    ...drivers.map(({ name, first, later, runs, cpu, calls }) => [
      name,
      number(first),
      number(later),
      String(runs),
      number(cpu),
      calls === undefined ? '' : sumOf(calls).toLocaleString('en'),
    ]),
  ]
}

/**
 * @param {DriverProfile} profile
 * @returns {string[]} a sentence on its system calls, and one on the parts of the program
 */
export function profileSentences({ name, calls, parts }) {
  return [
    ...(calls === undefined ? [] : [`system calls of ${name}: ${callsText(calls)}`]),
    ...(parts === undefined ? [] : [`main thread of ${name}: ${partsText(parts)}`]),
  ]
}

/** @param {Calls} calls */
function callsText(calls) {
  const shown = calls.slice(0, MOST_CALLS).map(([name, count]) => `${count.toLocaleString('en')} ${name}`)
  const rest = sumOf(calls.slice(MOST_CALLS))
  return [...shown, ...(rest > 0 ? [`${rest} others`] : [])].join(', ')
}

/** @param {Parts} parts */
function partsText(parts) {
  return parts
    .filter(([, share]) => share >= LEAST_SHARE)
    .map(([part, share]) => `${Math.round(share * 100)} % ${part}`)
    .join(', ')
}
