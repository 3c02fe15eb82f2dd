'use strict'

const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { clangFormat, clangTidy, coreIncludes } = require('./native-lint')
const { run } = require('./run')
const { ROOT } = require('./suites')

/**
 * @typedef {object} Check
 * @property {string} name
 * @property {() => string | Promise<string>} check what is wrong; empty when nothing is
 */

/**
 * @param {string} program
 * @param {readonly string[]} args
 */
async function problemsOf(program, args) {
  const { ok, output } = await run(program, args, { cwd: ROOT, quiet: true })
  return ok ? '' : output || `${program} failed`
}

/**
 * @param {string} project a folder with a tsconfig.json
 * @returns {Check}
 */
function types(project) {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  return {
    name: `types of ${project === '.' ? 'src' : project}`,
    check: () => problemsOf(process.execPath, [tsc, '--noEmit', '-p', project]),
  }
}

const BIOME = join(ROOT, 'test', 'node_modules', '.bin', 'biome')

/** @type {readonly Check[]} */
const checks = [
  {
    name: 'biome',
    check: () => problemsOf(BIOME, ['check', '--error-on-warnings', '--max-diagnostics=50', '.']),
  },
  ...['.', 'test', 'test/vm', 'tools', 'examples', 'bench']
    .filter((project) => existsSync(join(ROOT, project, 'tsconfig.json')))
    .map(types),
  { name: 'native/core is free of Node', check: coreIncludes },
  { name: 'clang-format', check: clangFormat },
  { name: 'clang-tidy', check: clangTidy },
]

module.exports = { checks }
