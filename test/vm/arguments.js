'use strict'

const { parseArgs } = require('node:util')

/**
 * @typedef {object} Arguments
 * @property {readonly string[]} guests their names, in the order of the table; never empty
 * @property {readonly string[]} patterns run only test files whose path holds one of them; empty: all
 * @property {boolean} brief of guests that show little that others do not, only that
 * @property {boolean} shell
 * @property {string | undefined} command run this with sh instead of the tests
 * @property {boolean} help
 */

class UsageError extends Error {}

/**
 * The words before the first that names no guest are guests; the others are patterns.
 *
 * @param {readonly string[]} argv
 * @param {readonly string[]} names of all guests
 * @returns {Arguments}
 * @throws {UsageError} for an unknown option, and for options that exclude each other
 */
function readArguments(argv, names) {
  const { values, positionals } = parse(argv)
  const firstPattern = positionals.findIndex((word) => !names.includes(word))
  const count = firstPattern < 0 ? positionals.length : firstPattern
  const chosen = positionals.slice(0, count)
  const patterns = positionals.slice(count)
  const { brief = false, shell = false, exec: command, help = false } = values

  if (brief && (shell || command !== undefined || patterns.length > 0))
    throw new UsageError('--brief is for the tests as they are: no patterns, --shell or --exec')
  if (shell && command !== undefined) throw new UsageError('--shell and --exec exclude each other')
  if ((shell || command !== undefined) && patterns.length > 0)
    throw new UsageError(`no guest is named ${patterns[0]}: there are ${names.join(', ')}`)
  if (shell && chosen.length !== 1)
    throw new UsageError(`--shell needs the name of one guest: ${names.join(', ')}`)
  const guests = chosen.length === 0 ? names : names.filter((name) => chosen.includes(name))
  return { guests, patterns, brief, shell, command, help }
}

/** @param {readonly string[]} argv */
function parse(argv) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        brief: { type: 'boolean' },
        shell: { type: 'boolean' },
        exec: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message)
  }
}

module.exports = { UsageError, readArguments }
