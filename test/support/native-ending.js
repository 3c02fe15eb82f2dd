'use strict'

// Ends this process, or a worker of it, in one of several ways while a batch waits in the kernel.
// Usage: node native-ending.js <addon> <directory with a named pipe `fifo`> <way>

const { closeSync, constants, openSync } = require('node:fs')
const { parentPort, Worker } = require('node:worker_threads')

const [addonPath, directory, way] = process.argv.slice(2)
const addon = require(addonPath)
const WRITE = 3
const FAST = 0
const SLOW = 1
const noIds = new Int32Array()

/** Opening the pipe for writing waits for a reader. */
function submitWaiting(done, lane = FAST) {
  const root = addon.openRoot(directory)
  return addon.submitBatch(lane, Int32Array.of(WRITE, root, 0, 1, -1, 0, 0, 0), 'fifo\0x', noIds, done)
}

const submitEmpty = (done, lane = FAST) => addon.submitBatch(lane, new Int32Array(), '', noIds, done)
const openReader = () => openSync(`${directory}/fifo`, constants.O_RDONLY | constants.O_NONBLOCK)

const WAYS = {
  exit() {
    submitWaiting(() => {})
    setTimeout(() => process.exit(3), 20)
  },
  throw() {
    submitWaiting(() => {})
    setTimeout(() => {
      throw new Error('thrown in the middle')
    }, 20)
  },
  kill() {
    submitWaiting(() => {})
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 20)
  },
  'throw-in-done'() {
    submitEmpty(() => {
      throw new Error('thrown by done')
    })
  },
  'exit-in-done'() {
    submitEmpty(() => process.exit(3))
  },
  async wait() {
    // Nothing but the batch keeps this process alive.
    await new Promise((resolve) => {
      submitEmpty(resolve)
    })
    console.log('awaited')
  },
  idle() {
    console.log('idle')
  },
  cancel() {
    // The fast lane may take both in one burst, and then has begun the second one too.
    submitWaiting(() => closeSync(reader), SLOW)
    const ticket = submitEmpty(() => console.log('ran after all'), SLOW)
    console.log(addon.cancelBatch(ticket))
    const reader = openReader()
  },
  'terminate-worker'() {
    const worker = new Worker(__filename, { argv: [addonPath, directory, 'wait-for-reader'] })
    worker.once('message', () => setTimeout(() => worker.terminate(), 50))
    worker.once('exit', () => {
      const reader = openReader()
      submitEmpty(() => {
        closeSync(reader)
        console.log('the lane goes on')
      })
    })
  },
  'wait-for-reader'() {
    submitWaiting(() => console.log('heard by nobody'))
    submitEmpty(() => console.log('heard by nobody'))
    parentPort.postMessage('submitted')
  },
}

WAYS[way]()
