import { spawnSync } from 'node:child_process'
import { serve } from '../serve.mjs'

await serve(() => ({
  run: () => {
    spawnSync(process.execPath, ['-e', '0'])
  },
}))
