'use strict'

const { spawn } = require('node:child_process')

const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM'])

/**
 * Runs a program and waits for its end. A signal to this process goes to the program, and ends both.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd: string, quiet?: boolean | undefined, env?: NodeJS.ProcessEnv | undefined }} options `quiet`: what it
 *   prints is only returned; `env`: instead of this process's
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
function run(program, args, { cwd, quiet = false, env = process.env }) {
  return new Promise((resolve) => {
    let output = ''
    const stream = quiet ? 'pipe' : 'inherit'
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', stream, stream] })
    for (const pipe of [child.stdout, child.stderr]) {
      pipe?.on('data', (chunk) => {
        output += String(chunk)
      })
    }
    /** @param {NodeJS.Signals} name */
    const stop = (name) => {
      child.once('close', () => process.exit(1))
      child.kill(name)
    }
    for (const name of SIGNALS) process.once(name, stop)
    /** @param {boolean} ok */
    const end = (ok) => {
      for (const name of SIGNALS) process.removeListener(name, stop)
      resolve({ ok, output })
    }
    child.once('error', (error) => {
      output = error.message
      end(false)
    })
    child.once('close', (code) => end(code === 0))
  })
}

module.exports = { run }
