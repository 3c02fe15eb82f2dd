// A process that starts inside a sandbox that has been applied: in every hierarchy that a sandbox can have a use for.

import { text } from 'node:stream/consumers'
import { Sandbox } from 'vmcg'
import { serve } from '../serve.mjs'

const RESOURCES = {
  cpu: { shares: 2048, quota: 200_000, period: 100_000, cpus: '0' },
  memory: { limit: 2 ** 28 },
  pids: { limit: 1_000 },
  blockIO: { weight: 500 },
}

/** @type {Sandbox | undefined} */
let sandbox
await serve(async ([parent = '', stateDir = '', stamp = '']) => {
  const own = await Sandbox.create({
    ...{ id: 'vm', parent, stateDir },
    containers: [{ id: 'c', spec: { linux: { resources: RESOURCES } } }],
    memoryOverheadBytes: 2 ** 27,
    unsupported: 'warn',
  })
  sandbox = own
  await own.apply()
  return {
    run: async () => {
      const startUs = Number(process.hrtime.bigint() / 1000n)
      const child = await own.launch(stamp, [], { stdio: ['ignore', 'pipe', 'inherit'] })
      if (child.stdout === null) throw new Error('a child without the pipe that was asked for')
      const [began] = await Promise.all([text(child.stdout), child.exited])
      return Number(began) - startUs
    },
  }
})
await sandbox?.destroy()
sandbox?.close()
