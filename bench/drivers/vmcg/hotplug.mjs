import { serve } from '../serve.mjs'
import { connectAll, SandboxKind } from './sandboxes.mjs'

/** @import { Sandbox } from 'vmcg' */

/** @type {Sandbox | undefined} */
let sandbox
await serve(async (args, words) => {
  const plugged = await new SandboxKind(args).create('vm')
  sandbox = plugged
  for (const hypervisor of await connectAll(words)) await plugged.attach(hypervisor)
  await plugged.apply()
  return {
    run: async () => {
      const { placed, left } = await plugged.refresh()
      if (placed.length !== 1 || left.length > 0) throw new Error(`${placed.length} vCPUs were placed, not 1`)
    },
  }
})
await sandbox?.destroy()
sandbox?.close()
