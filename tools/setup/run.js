'use strict'

const { spawn } = require('node:child_process')
const { closeSync, openSync, readFileSync } = require('node:fs')
const { delimiter, dirname } = require('node:path')
const { SetupError } = require('./errors')

const TAIL_LINES = 25
const KILL_AFTER_MS = 3000

/** @param {string} file */
function tail(file) {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n')
}

/**
 * @param {number} group
 * @param {NodeJS.Signals} name
 */
function signalGroup(group, name) {
  try {
    process.kill(-group, name)
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error
  }
}

/**
 * Runs a program to its end with its output in a log. It leads a process group of its own, which ends with it when
 * the signal aborts: make and the compilers too.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd: string, log: string, signal: AbortSignal, onStart: (pid: number) => void }} options
 * @returns {Promise<void>} rejects with a SetupError that holds the log's tail, or with the signal's reason
 */
async function run(program, args, { cwd, log, signal, onStart }) {
  signal.throwIfAborted()
  const output = openSync(log, 'w')
  // The build calls `node` by name: it has to be this one.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` }
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', output, output], detached: true })
  closeSync(output)
  const group = child.pid
  if (group !== undefined) onStart(group)
  /** @type {NodeJS.Timeout | undefined} */
  let last
  const stop = () => {
    if (group === undefined) return
    signalGroup(group, 'SIGTERM')
    last = setTimeout(signalGroup, KILL_AFTER_MS, group, 'SIGKILL')
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    const outcome = await new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('exit', (code, by) => resolve(code === 0 ? '' : by === null ? `exit code ${code}` : by))
    })
    signal.throwIfAborted()
    if (outcome !== '') {
      throw new SetupError(
        `${tail(log)}\nvmcg: ${program} ${args[0]} failed (${outcome}); all of its output: ${log}`,
      )
    }
  } finally {
    signal.removeEventListener('abort', stop)
    clearTimeout(last)
    if (signal.aborted && group !== undefined) signalGroup(group, 'SIGKILL')
  }
}

module.exports = { run }
