'use strict'

const { SetupError } = require('./errors')

/**
 * Runs a step under one line: what it does, then how long it took. On a terminal the seconds count meanwhile.
 *
 * @template T
 * @param {string} text
 * @param {() => Promise<T>} act
 * @returns {Promise<T>}
 */
async function withProgress(text, act) {
  const out = process.stderr
  const start = performance.now()
  const seconds = () => `${((performance.now() - start) / 1000).toFixed(1)} s`
  out.write(`vmcg: ${text} ... `)
  const ticker = out.isTTY
    ? setInterval(() => out.write(`\r\x1b[Kvmcg: ${text} ... ${seconds()}`), 500)
    : undefined
  /** @param {string} outcome */
  const end = (outcome) => out.write(out.isTTY ? `\r\x1b[Kvmcg: ${text} ... ${outcome}\n` : `${outcome}\n`)
  try {
    const result = await act()
    end(seconds())
    return result
  } catch (error) {
    end(error instanceof SetupError ? 'failed' : 'stopped')
    throw error
  } finally {
    clearInterval(ticker)
  }
}

module.exports = { withProgress }
