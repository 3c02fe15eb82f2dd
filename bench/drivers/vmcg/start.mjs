import { spawnSync } from 'node:child_process'
import { serve } from '../serve.mjs'

await serve(() => ({
  run: () => {
    const { status } = spawnSync(process.execPath, ['-e', "require('vmcg')"])
    if (status !== 0) throw new Error('vmcg cannot be imported')
  },
}))
