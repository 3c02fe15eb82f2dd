// What a sandbox that has nothing to do takes of this process. The answer to `run` is in bytes, to `also` a number of
// descriptors, both for all sandboxes.

import { readdirSync } from 'node:fs'
import { serve } from '../serve.mjs'
import { SandboxKind } from './sandboxes.mjs'

/** @import { Sandbox } from 'vmcg' */

const AT_ONCE = 20
const WARM_UP = 2 * AT_ONCE

function usedBytes() {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const openDescriptors = () => readdirSync('/proc/self/fd').length

/** @type {Sandbox[]} */
const sandboxes = []
await serve(async (args, [count]) => {
  const kind = new SandboxKind(args)
  const add = async (/** @type {number} */ number) => {
    const sandbox = await kind.create(String(number))
    await sandbox.apply()
    sandboxes.push(sandbox)
  }
  // What is loaded, or kept at hand, when it is first needed belongs to none of them.
  await addMany(add, 0, WARM_UP)
  let descriptors = 0
  return {
    run: async () => {
      const before = { bytes: usedBytes(), descriptors: openDescriptors() }
      await addMany(add, WARM_UP, WARM_UP + Number(count))
      descriptors = openDescriptors() - before.descriptors
      return usedBytes() - before.bytes
    },
    also: () => descriptors,
  }
})
// The bench takes away all that is in its cgroups and its folder; to destroy so many in order takes minutes.
for (const sandbox of sandboxes) sandbox.close()

/**
 * @param {(number: number) => Promise<void>} add
 * @param {number} from
 * @param {number} to
 */
async function addMany(add, from, to) {
  for (let first = from; first < to; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, to - first) }, (_, index) => first + index)
    await Promise.all(numbers.map(add))
  }
}
