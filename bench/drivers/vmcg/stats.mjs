import { Sandbox } from 'vmcg'
import { serve } from '../serve.mjs'
import { SandboxKind } from './sandboxes.mjs'

/** @import { StatsGroup } from 'vmcg' */

/** @type {Sandbox[]} */
const sandboxes = []
await serve(async ([groups = '', ...args], ids) => {
  const kind = new SandboxKind(args)
  for (const id of ids) {
    const sandbox = await kind.create(id)
    await sandbox.apply()
    sandboxes.push(sandbox)
  }
  return {
    run: async () => {
      await statsAll(sandboxes, /** @type {StatsGroup[]} */ (groups.split(',')))
    },
  }
})
for (const sandbox of sandboxes) {
  await sandbox.destroy()
  sandbox.close()
}

/**
 * @param {readonly Sandbox[]} list
 * @param {readonly StatsGroup[]} groups
 */
async function statsAll(list, groups) {
  for (const outcome of await Sandbox.statsAll(list, { groups })) if ('error' in outcome) throw outcome.error
}
