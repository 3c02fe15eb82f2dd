/**
 * @import { Machine } from './machine.mjs'
 * @import { CaseProfile } from './profile/profile-case.mjs'
 * @import { TrialResult } from './trial.mjs'
 */

/**
 * A run as it is saved.
 *
 * @typedef {object} Run
 * @property {string} date
 * @property {Machine} machine
 * @property {readonly string[]} leftOut
 * @property {readonly TrialResult[]} trials
 * @property {readonly CaseProfile[]} [profiles]
 */

/** @param {Run} run @returns {string} JSON, a list of numbers on one line */
export function formatRun(run) {
  // Five digits tell what there is to tell, and keep what is committed small.
  const round = (/** @type {string} */ _, /** @type {unknown} */ value) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value
  return `${JSON.stringify(run, round, 1).replace(/\[\s+([-\d.,\s]+?)\s+\]/g, (_, list) => `[${list.replace(/\s+/g, ' ')}]`)}\n`
}
