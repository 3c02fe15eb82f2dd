'use strict'

const { mkdirSync, readFileSync, rmSync } = require('node:fs')
const { availableParallelism } = require('node:os')
const { join } = require('node:path')
const { isOnPath } = require('../setup/toolchain')
const { run } = require('./run')

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 *
 * @typedef {object} Place where tests are run
 * @property {string} root this checkout, or a copy
 * @property {NodeJS.ProcessEnv} env
 * @property {string} [node] what runs jest; default this Node
 */

const ROOT = join(__dirname, '..', '..')

/** @type {Place} */
const HERE = { root: ROOT, env: process.env }

/** CI sets this: what cannot be run is then a failure. */
const REQUIRED = process.env['VMCG_REQUIRE'] === '1'

/**
 * @param {string} what
 * @param {string} remedy
 * @returns {Counts}
 */
function skip(what, remedy) {
  console.log(`${REQUIRED ? 'failed' : 'skipped'}: ${what} (${remedy})`)
  return REQUIRED ? { passed: 0, failed: 1, skipped: 0 } : { passed: 0, failed: 0, skipped: 1 }
}

/**
 * @param {string} project a folder with a tsconfig.json
 * @returns {Promise<Counts>}
 */
async function types(project) {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const { ok } = await run(process.execPath, [tsc, '--noEmit', '-p', project], { cwd: ROOT })
  if (!ok) console.log(`failed: the types of ${project}`)
  return { passed: 0, failed: ok ? 0 : 1, skipped: 0 }
}

/**
 * @param {string} folder below test/
 * @param {readonly string[]} options jest's, and patterns
 * @param {Place} [place]
 * @returns {Promise<Counts>}
 */
async function jest(folder, options, { root, env, node = process.execPath } = HERE) {
  const cache = join(root, '.cache')
  const report = join(cache, `jest-${folder}.json`)
  mkdirSync(cache, { recursive: true })
  rmSync(report, { force: true })
  const { ok } = await run(
    node,
    [
      join(root, 'test', 'node_modules', 'jest', 'bin', 'jest.js'),
      ...['--config', join(root, 'test', 'jest.config.js'), '--roots', join(root, 'test', folder)],
      ...['--json', '--outputFile', report, '--passWithNoTests'],
      ...options,
    ],
    { cwd: root, env },
  )
  return readJest(report, ok)
}

/**
 * @param {string} report
 * @param {boolean} ok
 * @returns {Counts}
 */
function readJest(report, ok) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'))
    counts.passed = result.numPassedTests
    counts.failed = result.numFailedTests + result.numRuntimeErrorTestSuites
    counts.skipped = result.numPendingTests + result.numTodoTests
  } catch (error) {
    console.log(`failed: jest left no report (${/** @type {Error} */ (error).message})`)
  }
  if (!ok && counts.failed === 0) counts.failed = 1
  return counts
}

/**
 * The core's own tests, built by CMake in build-core/.
 *
 * @param {readonly string[]} defines for CMake
 * @param {Place} [place]
 * @returns {Promise<Counts>}
 */
async function core(defines = [], { root, env } = HERE) {
  if (!isOnPath('cmake') || !isOnPath('ctest'))
    return skip('the tests of the native core', 'apt-get install cmake')
  const probe = ['-std=c++20', '-fsyntax-only', '-include', 'gtest/gtest.h', '-x', 'c++', '/dev/null']
  const gtest = await run(process.env['CXX'] ?? 'g++', probe, { cwd: ROOT, quiet: true })
  if (!gtest.ok) return skip('the tests of the native core', 'apt-get install libgtest-dev')

  const build = join(root, 'build-core')
  for (const args of [
    ['-S', ROOT, '-B', build, ...defines],
    ['--build', build, '--parallel', `${availableParallelism()}`],
  ]) {
    const built = await run('cmake', args, { cwd: ROOT, quiet: true })
    if (!built.ok) {
      console.log(`${built.output}failed: cmake ${args.join(' ')}`)
      return { passed: 0, failed: 1, skipped: 0 }
    }
  }
  const report = join(build, 'ctest.xml')
  const args = ['--test-dir', build, '--output-on-failure', '--output-junit', report]
  const { ok } = await run('ctest', args, { cwd: root, env })
  return readJunit(readFileSync(report, 'utf8'), ok)
}

/**
 * @param {string} xml
 * @param {boolean} ok
 * @returns {Counts}
 */
function readJunit(xml, ok) {
  const head = /<testsuite\b[^>]*>/.exec(xml)?.[0] ?? ''
  /** @param {string} name */
  const count = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0)
  const skipped = count('skipped') + count('disabled')
  const failed = count('failures') || (ok ? 0 : 1)
  return { passed: Math.max(0, count('tests') - failed - skipped), failed, skipped }
}

/**
 * @param {readonly Counts[]} parts
 * @returns {Counts}
 */
function total(parts) {
  return parts.reduce(
    (sum, part) => ({
      passed: sum.passed + part.passed,
      failed: sum.failed + part.failed,
      skipped: sum.skipped + part.skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  )
}

/** @param {Counts} counts */
function format({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

module.exports = { REQUIRED, ROOT, core, format, jest, readJunit, skip, total, types }
