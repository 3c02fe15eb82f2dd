'use strict'

const { mkdirSync } = require('node:fs')
const { constants } = require('node:os')
const { join } = require('node:path')
const { SetupError } = require('./errors')
const { takeLock } = require('./lock')
const { becomeOwner } = require('./owner')
const { withProgress } = require('./progress')
const { run } = require('./run')
const { stepsFor } = require('./steps')
const { checkToolchain } = require('./toolchain')

const ROOT = join(__dirname, '..', '..')
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

/** @param {string} goal */
async function installAndBuild(goal) {
  becomeOwner(ROOT)
  const stale = () => stepsFor(ROOT, goal).filter((step) => !step.isFresh())
  const work = stale()
  if (work.length === 0) return
  // A compiler takes longer to get than the packages: say so before they are installed.
  if (work.some((step) => step.name === 'native')) checkToolchain()

  const cache = join(ROOT, '.cache')
  mkdirSync(cache, { recursive: true })
  const end = watchForTheEnd()
  try {
    const lock = await takeLock(join(cache, 'setup.lock'), {
      signal: end.signal,
      onWait: (pid) => console.error(`vmcg: another set-up is at work (process ${pid}), waiting for it`),
    })
    try {
      for (const step of stale()) {
        const options = { log: join(cache, `${step.name}.log`), signal: end.signal, onStart: lock.noteChild }
        await withProgress(step.says, () =>
          step.make((program, args, cwd = ROOT) => run(program, args, { cwd, ...options })),
        )
      }
    } finally {
      lock.release()
    }
  } finally {
    end.release()
  }
}

/**
 * Brings the checkout to the state that the goal needs; tells failures on stderr and by the exit code.
 *
 * @param {string} goal `demo`, `build` or `test`
 */
function setUp(goal) {
  installAndBuild(goal).catch((error) => {
    if (error instanceof Interrupted) process.exitCode = error.exitCode
    else {
      console.error(error instanceof SetupError ? error.message : error)
      process.exitCode = 1
    }
  })
}

module.exports = { setUp }
