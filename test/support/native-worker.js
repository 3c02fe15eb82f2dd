'use strict'

// A worker that keeps both lanes busy until somebody ends it.

const { parentPort, workerData } = require('node:worker_threads')

const addon = require(workerData.addon)
const proc = addon.openRoot('/proc')
const LIST_TASKS = 8
const READ = 4
const ops = Int32Array.of(LIST_TASKS, proc, 0, -1, 1, 0, 0, 0, READ, proc, 1, -1, -1, 0, 0, 1)
const strings = [process.pid, 'self/status'].join('\0')
const noIds = new Int32Array()

let isReported = false

function submit(lane) {
  addon.submitBatch(lane, ops, strings, noIds, (result) => {
    if (result.byteLength === 0) throw new Error('an empty result')
    if (!isReported) parentPort.postMessage('works')
    isReported = true
    submit(lane)
  })
}

for (let pending = 0; pending < 8; pending += 1) submit(pending % 2)
