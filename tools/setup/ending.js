'use strict'

const { constants } = require('node:os')

const PARENT_POLL_MS = 500

/** Why a run was given up; `exitCode` is the shell's word for it. */
class Interrupted extends Error {
  /** @param {'SIGHUP' | 'SIGINT' | 'SIGTERM'} name */
  constructor(name) {
    super(name)
    this.exitCode = 128 + constants.signals[name]
  }
}

/**
 * Aborts on Ctrl-C, on SIGTERM and SIGHUP, and when the parent goes: an npm that gets SIGTERM leaves its script behind.
 *
 * @returns {{ signal: AbortSignal, release(): void }}
 */
function watchForTheEnd() {
  const controller = new AbortController()
  const parent = process.ppid
  /** @param {'SIGHUP' | 'SIGINT' | 'SIGTERM'} name */
  const abort = (name) => controller.abort(new Interrupted(name))
  for (const name of /** @type {const} */ (['SIGHUP', 'SIGINT', 'SIGTERM'])) process.on(name, abort)
  const watch = setInterval(() => process.ppid === parent || abort('SIGTERM'), PARENT_POLL_MS)
  return { signal: controller.signal, release: () => clearInterval(watch) }
}

module.exports = { Interrupted, watchForTheEnd }
