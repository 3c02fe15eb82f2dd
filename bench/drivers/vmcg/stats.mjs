import { Sandbox } from 'vmcg'
import { serve } from '../serve.mjs'
import { SandboxKind } from './sandboxes.mjs'

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
async function statsAll(list) {
  for (const outcome of await Sandbox.statsAll(list)) if ('error' in outcome) throw outcome.error
}
