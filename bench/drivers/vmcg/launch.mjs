// A process in all hierarchies. Spawned, it waits; `add` puts it into its cgroups; then it goes on.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { CgroupManager } from 'vmcg'
import { serve } from '../serve.mjs'

/** @type {CgroupManager | undefined} */
let manager
await serve(async ([parent = '', stateDir = '', stamp = '']) => {
  const own = await CgroupManager.create({ cgroupsPath: `${parent}/kata_vm`, stateDir, resources: {} })
  manager = own
  await own.apply()
  return {
    run: async () => {
      const startUs = Number(process.hrtime.bigint() / 1000n)
      const child = spawn(stamp, ['wait'], { stdio: ['pipe', 'pipe', 'inherit'] })
      const { pid } = child
      if (pid === undefined) throw new Error(`${stamp} was not started`)
      await own.add(pid)
      child.stdin.end('\n')
      const [began] = await Promise.all([text(child.stdout), once(child, 'close')])
      return Number(began) - startUs
    },
  }
})
await manager?.destroy()
manager?.close()
