'use strict'

const { constants, cpSync, existsSync, mkdirSync } = require('node:fs')
const { dirname, join, relative } = require('node:path')
const { ROOT } = require('./suites')

/** Of the checkout, what the tests read and what they are made of. */
const TOP = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'package.json', 'package-lock.json', 'tsconfig.json'],
  ...['binding.gyp', 'CMakeLists.txt', 'biome.json'],
  ...['src', 'dist', 'build', 'build-core', 'native', 'node_modules', 'test'],
  ...['bench', 'docs', 'examples', 'guest', 'tools'],
  // Of what tests have compiled once, no other run need compile it.
  '.cache/compiled',
]

/**
 * Copies this checkout, with what has been built and what is not committed, for tests that need one of their own.
 *
 * @param {string} target
 * @param {readonly string[]} leftOut paths below the checkout
 */
function copyCheckout(target, leftOut) {
  const left = new Set(leftOut)
  for (const name of TOP.filter((top) => existsSync(join(ROOT, top)))) {
    copy(join(ROOT, name), join(target, name), (path) => !left.has(relative(ROOT, path)))
  }
}

/**
 * @param {string} from
 * @param {string} to
 * @param {(path: string) => boolean} [filter]
 */
function copy(from, to, filter = () => true) {
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, to, {
    recursive: true,
    mode: constants.COPYFILE_FICLONE,
    verbatimSymlinks: true,
    preserveTimestamps: true,
    filter,
  })
}

module.exports = { copy, copyCheckout }
