// A sandbox whose VM was found anew: `refresh` looks where each thread is, moves those that are astray, and looks
// again. The hypervisor answers at once, since the others are given the list, too.

import { serve } from '../serve.mjs'
import { SandboxKind } from './sandboxes.mjs'

/** @import { Sandbox } from 'vmcg' */

/** @type {Sandbox | undefined} */
let sandbox
await serve(async (args, words) => {
  const [pid = 0, ...tids] = words.map(Number)
  const placed = await new SandboxKind(args).create('vm')
  sandbox = placed
  await placed.attach({
    name: 'list',
    pid: () => pid,
    threads: async () => ({ vcpus: new Map(tids.entries()), iothreads: new Map() }),
    close: async () => undefined,
  })
  await placed.apply()
  return {
    run: async () => {
      const { left, placed: moved } = await placed.refresh()
      if (left.length > 0 || moved.length !== tids.length)
        throw new Error(`${moved.length} of ${tids.length} vCPUs were placed`)
    },
  }
})
await sandbox?.destroy()
sandbox?.close()
