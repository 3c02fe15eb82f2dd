'use strict'

// In an emulated guest it takes jest five seconds to load the product for a test file. Many files in one are loaded
// once.

/** So few that a guest says every other minute how far it is. */
const FILES_IN_A_PART = 10

/**
 * @typedef {{ path: string, text: string }} Part a test file, by its path in the checkout
 *
 * @param {string} name
 * @param {readonly string[]} files test files, by their paths in the checkout
 * @returns {Part[]} which do all the tests of these
 */
function partsOf(name, files) {
  const count = Math.ceil(files.length / FILES_IN_A_PART)
  // Neighbours are alike: dealt out, no part gets all the long ones.
  return Array.from({ length: count }, (_, index) => ({
    path: `test/parts/${name}-${index + 1}.test.ts`,
    text: textOf(files.filter((_file, at) => at % count === index)),
  }))
}

/** @param {readonly string[]} files */
function textOf(files) {
  return `'use strict'

const { patience } = require('../support/scale.js')

for (const file of ${JSON.stringify(files)}) describe(file, () => void require('../../' + file))
// In place of the times of the single files: jest keeps the last one.
jest.setTimeout(patience(240_000))
`
}

module.exports = { partsOf }
