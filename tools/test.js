'use strict'

// `npm test [-- pattern...]` runs every test that this host can run: the types, the unit tests, the core's own tests,
// then the integration tests, one file at a time, for they measure the same CPUs. With patterns only the tests of
// jest whose path matches. The last line is the sum.

const { core, format, jest, total, types } = require('./check/suites')

/** @param {readonly string[]} patterns */
async function main(patterns) {
  const parts = [await types('test'), await jest('unit', patterns)]
  if (patterns.length === 0) parts.push(await core())
  parts.push(await jest('integration', ['--runInBand', ...patterns]))
  const sum = total(parts)
  console.log(format(sum))
  process.exitCode = sum.failed > 0 ? 1 : 0
}

void main(process.argv.slice(2))
