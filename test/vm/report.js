'use strict'

/**
 * What a guest writes to its report, a line of JSON each.
 *
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped for no reason that the guest's table gives
 * @property {Readonly<Record<string, number>>} leftOut how many tests for lack of what
 *
 * @typedef {{ type: 'job', name: string, seconds: number, counts: Counts, trouble: string }} JobRecord `trouble`:
 *   empty, or why it failed beside its tests
 * @typedef {{ type: 'end' }} EndRecord everything that was ordered has been done
 * @typedef {JobRecord | EndRecord} GuestRecord
 */

/** What a test's title says, by test/support/require.ts, that this boot by its nature cannot run. */
const LEFT_OUT = / \[left out for lack of (.+)\]$/

/**
 * @param {unknown} report what jest leaves with --json
 * @returns {Counts}
 */
function countJest(report) {
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites, testResults } =
    /** @type {import('@jest/test-result').FormattedTestResults} */ (report)
  const pending = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'pending' || status === 'todo')
    .map(({ ancestorTitles }) => ancestorTitles.map((title) => LEFT_OUT.exec(title)?.[1]).find(Boolean))
  /** @type {Record<string, number>} */
  const leftOut = {}
  for (const what of pending) if (what !== undefined) leftOut[what] = (leftOut[what] ?? 0) + 1
  return {
    passed: numPassedTests,
    failed: numFailedTests + numRuntimeErrorTestSuites,
    skipped: pending.filter((what) => what === undefined).length,
    leftOut,
  }
}

/** What takes more than this share of all the time is worth a look: a guest is to be done in minutes. */
const NOTABLE_SHARE = 0.02

/**
 * @param {unknown} report what jest leaves with --json
 * @returns {string[]} a line for each file and for each test that took notably long, the longest first
 */
function formatSlowest(report) {
  const { testResults } = /** @type {import('@jest/test-result').FormattedTestResults} */ (report)
  const tests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ ancestorTitles, fullName, duration }) => ({
      // A part of a guest's tests names the files that it is made of.
      file: ancestorTitles.find((title) => title.endsWith('.test.ts')) ?? name.replace(/.*[/]/, ''),
      fullName,
      seconds: (duration ?? 0) / 1000,
    })),
  )
  const all = tests.reduce((sum, { seconds }) => sum + seconds, 0)
  /** @type {Record<string, number>} */
  const files = {}
  for (const { file, seconds } of tests) files[file] = (files[file] ?? 0) + seconds
  /** @param {readonly (readonly [string, number])[]} durations */
  const notable = (durations) =>
    durations
      .filter(([, seconds]) => seconds > all * NOTABLE_SHARE)
      .sort(([, a], [, b]) => b - a)
      .map(([text, seconds]) => `${seconds.toFixed(1).padStart(6)} s  ${text}`)
  return [
    ...notable(Object.entries(files)),
    ...notable(
      tests.map(({ file, fullName, seconds }) => [`${file}: ${fullName.replace(`${file} `, '')}`, seconds]),
    ),
  ]
}

/**
 * @typedef {{ name: string, testsuite: readonly { result: string, failures?: readonly unknown[] }[] }} GtestSuite
 *
 * @param {{ testsuites: readonly GtestSuite[] }} report what gtest leaves with --gtest_output=json
 * @returns {Counts} a test that skips itself says in its output what it lacks
 */
function countGtest({ testsuites }) {
  const tests = testsuites.flatMap(({ name, testsuite }) =>
    testsuite.map((test) => ({ ...test, suite: name })),
  )
  const ran = tests.filter(({ result }) => result === 'COMPLETED')
  const failed = ran.filter(({ failures = [] }) => failures.length > 0).length
  /** @type {Record<string, number>} */
  const leftOut = {}
  for (const { suite } of tests.filter(({ result }) => result === 'SKIPPED')) {
    const what = `what ${suite} of the core needs`
    leftOut[what] = (leftOut[what] ?? 0) + 1
  }
  const skipped = tests.filter(({ result }) => result !== 'COMPLETED' && result !== 'SKIPPED').length
  return { passed: ran.length - failed, failed, skipped, leftOut }
}

/**
 * @param {string} text lines of JSON; the last one may be cut off
 * @returns {GuestRecord[]}
 */
function parseReport(text) {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}

/**
 * @param {readonly Counts[]} parts
 * @returns {Counts}
 */
function addCounts(parts) {
  const sum = { passed: 0, failed: 0, skipped: 0, leftOut: /** @type {Record<string, number>} */ ({}) }
  for (const { passed, failed, skipped, leftOut } of parts) {
    sum.passed += passed
    sum.failed += failed
    sum.skipped += skipped
    for (const [what, count] of Object.entries(leftOut)) sum.leftOut[what] = (sum.leftOut[what] ?? 0) + count
  }
  return sum
}

/** @param {Counts} counts */
function formatCounts({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** @param {Counts} counts @returns {string[]} a line for each thing that a boot lacks */
function formatLeftOut({ leftOut }) {
  return Object.entries(leftOut).map(([what, count]) => `left out for lack of ${what}: ${count}`)
}

module.exports = { addCounts, countGtest, countJest, formatCounts, formatLeftOut, formatSlowest, parseReport }
