// Sandboxes whose VMM ends at once: each is made, started and taken away.

import { Sandbox } from 'vmcg'
import { serve } from '../serve.mjs'

const PARENT = 'system.slice:vmcg-bench'

await serve(([stateDir = ''], [count]) => {
  /** @param {number} index */
  const runOne = async (index) => {
    const sandbox = await Sandbox.create({ id: `${process.pid}-${index}`, parent: PARENT, stateDir })
    const { code } = await (await sandbox.launch('true', [], { stdio: 'ignore' })).exited
    if (code !== 0) throw new Error(`the program ended with ${code}`)
    await sandbox.destroy()
    await sandbox.close()
  }
  return {
    run: async () => {
      await Promise.all(Array.from({ length: Number(count) }, (_, index) => runOne(index)))
    },
  }
})
