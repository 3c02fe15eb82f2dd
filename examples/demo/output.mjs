import { styleText } from 'node:util'

const INDENT = '   '

/** Whether to use colours: on a terminal, unless the user says no (https://no-color.org). */
export const hasColor = process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === ''

/** @param {string} text */
export function heading(text) {
  console.log(`\n${hasColor ? styleText('bold', text) : text}`)
}

/** @param {string} text one line or several */
export function say(text) {
  console.log(text.trimEnd().replace(/^(?=.)/gm, INDENT))
}

/**
 * Announces what takes more than a moment.
 *
 * @param {string} text
 */
export function progress(text) {
  say(`… ${text}`)
}

/** @param {readonly string[]} cgroups as `hierarchy:path` */
export function sayRemoved(cgroups) {
  for (const cgroup of cgroups) say(`- ${cgroup}`)
}

/** @param {string} text */
export function fail(text) {
  console.error(`\nvmcg demo: ${text.trimEnd()}`)
}

/** @param {number} value in percent of one CPU */
export function percent(value) {
  return `${value.toFixed(1)} %`
}
