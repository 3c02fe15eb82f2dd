import { parseArgs } from 'node:util'
import { Ending } from './ending.mjs'
import { profiledCases } from './profile/profiled.mjs'
import { TRIALS } from './trials/all.mjs'

/** @import { Trial } from './trial.mjs' */

/**
 * @typedef {object} Choice
 * @property {readonly { trial: Trial, drivers: readonly string[] }[]} chosen
 * @property {number} upTo sizes beyond it are left out
 * @property {number} repetitions
 * @property {ReturnType<typeof profiledCases>} profiled
 * @property {boolean} isWhole nothing is left out that this host can do
 */

/** @param {string} name @param {string} text */
function count(name, text) {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Ending(`--${name} takes a number from 1 to 999999, not ${text}`)
  return Number(text)
}

/**
 * A search term is a part of `<trial> <driver>`; all of them have to fit.
 *
 * @param {readonly string[]} args
 * @returns {Choice}
 */
export function readArguments(args) {
  const options = /** @type {const} */ ({
    'up-to': { type: 'string', default: '999999' },
    repetitions: { type: 'string', default: '9' },
    profile: { type: 'boolean', default: false },
  })
  const { values, positionals: terms } = parseArgs({ args: [...args], options, allowPositionals: true })
  const fits = (/** @type {string} */ trial, /** @type {string} */ driver) =>
    terms.every((term) => `${trial} ${driver}`.includes(term))
  const chosen = TRIALS.map((trial) => ({
    trial,
    drivers: trial.drivers.filter((driver) => fits(trial.name, driver)),
  })).filter(({ drivers }) => drivers.length > 0)
  if (chosen.length === 0) {
    const all = TRIALS.map(({ name, drivers }) => `${name} (${drivers.join(', ')})`)
    throw new Ending(`nothing fits "${terms.join(' ')}"; there is ${all.join('; ')}`)
  }
  const isWhole = terms.length === 0 && values['up-to'] === options['up-to'].default
  const upTo = count('up-to', values['up-to'])
  return {
    chosen: values.profile ? [] : chosen,
    profiled: values.profile || isWhole ? profiledCases(fits, upTo) : [],
    isWhole: isWhole && !values.profile,
    upTo,
    repetitions: count('repetitions', values.repetitions),
  }
}
