'use strict'

/** A failure that is told in its own words, without a stack. */
class SetupError extends Error {}

module.exports = { SetupError }
