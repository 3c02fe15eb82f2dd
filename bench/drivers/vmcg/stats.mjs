import { serve } from '../serve.mjs'
import { SandboxKind } from './sandboxes.mjs'

/** @import { Sandbox } from 'vmcg' */

/** @type {Sandbox[]} */
const sandboxes = []
await serve(async (args, ids) => {
  const kind = new SandboxKind(args)
  for (const id of ids) {
    const sandbox = await kind.create(id)
    await sandbox.apply()
    sandboxes.push(sandbox)
  }
  return {
    run: async () => {
      await statsAll(sandboxes)
    },
  }
})
for (const sandbox of sandboxes) {
  await sandbox.destroy()
  sandbox.close()
}

/** @param {readonly Sandbox[]} list */
function statsAll(list) {
  return Promise.all(list.map((sandbox) => sandbox.stats()))
}
