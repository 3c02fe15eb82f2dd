'use strict'

// Starts workers that work with the addon and ends each at a random moment, also before it has begun. Exits with 0
// when all of them are gone and the addon answers here. The main thread loads it only then: until that moment the end
// of the last worker that has it would unload it under the lanes' threads.
// Usage: node native-worker-crowd.js <addon> <workers> <at a time>

const { join } = require('node:path')
const { Worker } = require('node:worker_threads')

const [addonPath, total, atATime] = process.argv.slice(2)
const LONGEST_LIFE_MS = 80

function live() {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(__dirname, 'native-worker.js'), { workerData: { addon: addonPath } })
    worker.once('error', reject)
    worker.once('exit', resolve)
    if (Math.random() < 0.2) {
      worker.terminate()
    } else {
      worker.once('message', () => setTimeout(() => worker.terminate(), Math.random() * LONGEST_LIFE_MS))
    }
  })
}

async function main() {
  let left = Number(total)
  const row = async () => {
    while (left-- > 0) await live()
  }
  await Promise.all(Array.from({ length: Number(atATime) }, row))
  const addon = require(addonPath)
  await new Promise((resolve) => addon.submitBatch(0, new Int32Array(), '', new Int32Array(), resolve))
  console.log('all gone')
}

void main()
