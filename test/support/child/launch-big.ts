import { readdirSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { Sandbox } from '../../../src/sandbox'
import { firstLook } from '../launches'

// launch-big <parent> <state directory> <program of first-look.c>: launches it while this process has 10 GiB of heap, a
// page in use in each 4 MiB, and many threads that are at work.

const [parent = '', stateDir = '', program = ''] = process.argv.slice(2)
const CHUNK = 2 ** 30
const PAGE_EACH = 4 * 2 ** 20
const THREADS = 12

async function main(): Promise<void> {
  const heap = Array.from({ length: 10 }, () => new Uint8Array(CHUNK))
  for (const chunk of heap) for (let at = 0; at < CHUNK; at += PAGE_EACH) chunk[at] = 1
  const busy = 'setInterval(() => { for (let n = 0; n < 1e5; n += 1); }, 5)'
  const workers = Array.from({ length: THREADS }, () => new Worker(busy, { eval: true }))
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('online', resolve))))
  const isThreaded = readdirSync('/proc/self/task').length > THREADS

  const sandbox = await Sandbox.create({ id: 'vm', parent, stateDir })
  const vm = await sandbox.launch(program)
  const places = await firstLook(vm)
  vm.stdin?.end()
  const { code } = await vm.exited
  await sandbox.destroy()
  await sandbox.close()
  const isInside = Object.values(places).includes(`${parent}/vm`)
  const isStillThere = heap.every((chunk) => chunk[0] === 1)
  await Promise.all(workers.map((worker) => worker.terminate()))
  process.stdout.write(JSON.stringify({ isInside: isInside && isStillThere, code, isThreaded }))
}

void main()
