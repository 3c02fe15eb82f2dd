'use strict'

const { mkdirSync } = require('node:fs')
const { join } = require('node:path')
const { Interrupted, watchForTheEnd } = require('./ending')
const { SetupError } = require('./errors')
const { takeLock } = require('./lock')
const { becomeOwner } = require('./owner')
const { withProgress } = require('./progress')
const { run } = require('./run')
const { stepsFor } = require('./steps')
const { checkToolchain } = require('./toolchain')

const ROOT = join(__dirname, '..', '..')

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
 * @param {string} goal `demo`, `build`, `bench` or `test`
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
