'use strict'

// How much of a campaign is run, and how long is waited, on a host that is not like a developer's: an emulated guest
// is 10 to 20 times slower. Both numbers come from the environment, and are 1 without it.

/** @param {string} name */
function factor(name) {
  const value = Number(process.env[name] ?? '1')
  if (!(value > 0)) throw new Error(`${name} is a number above 0, not ${process.env[name]}`)
  return value
}

/**
 * @param {number} full what a developer's host does
 * @param {number} [least] what it takes to prove anything
 * @returns {number} how many rounds to do here: `VMCG_SCALE` of them, never more than all
 */
function rounds(full, least = 1) {
  return Math.min(full, Math.max(least, Math.round(full * factor('VMCG_SCALE'))))
}

/**
 * @param {number} ms the longest that a developer's host may take
 * @returns {number} the longest that this one may: `VMCG_PATIENCE` times as long, never shorter
 */
function patience(ms) {
  return Math.round(ms * Math.max(1, factor('VMCG_PATIENCE')))
}

/**
 * @returns {number} that each so-manieth of a series is done, here: every one without `VMCG_SCALE`, and of a short series
 *   still some. It is odd, so that what differs between even and odd ones meets both
 */
function stride() {
  return Math.max(1, Math.round(0.25 / factor('VMCG_SCALE'))) | 1
}

module.exports = { patience, rounds, stride }
