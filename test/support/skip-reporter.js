'use strict'

/**
 * Says in one line each which tests this host could not run, and what they need. See `describeWith`.
 *
 * @implements {import('@jest/reporters').Reporter}
 */
class SkipReporter {
  /**
   * @param {unknown} _contexts
   * @param {import('@jest/test-result').AggregatedResult} results
   */
  onRunComplete(_contexts, results) {
    const skipped = new Set(
      results.testResults
        .flatMap(({ testResults }) => testResults)
        .filter(({ status }) => status === 'pending')
        .flatMap(({ ancestorTitles }) => ancestorTitles)
        .filter((title) => / \[needs .*\]$/.test(title)),
    )
    for (const title of skipped) process.stderr.write(`skipped: ${title}\n`)
  }
}

module.exports = SkipReporter
