// What vmcg's engine alone does of a placement: the batch of writes, without the looks before and after it.

import { Batch } from '../../../dist/engine/batch.js'
import { Roots, submit } from '../../../dist/engine/lane.js'
import { OpCode } from '../../../dist/engine/native.js'
import { serve } from '../serve.mjs'

const roots = new Roots()
await serve((folders, words) => {
  const [pid = 0, ...tids] = words.map(Number)
  const mounts = folders.map((folder) => roots.id(folder))
  return {
    run: async () => {
      const batch = new Batch()
      for (const mount of mounts) {
        batch.add(OpCode.WriteIds, mount, 'cgroup.procs', { ids: [pid] })
        batch.add(OpCode.WriteIds, mount, 'vcpu/tasks', { ids: tids })
      }
      const results = await submit(batch)
      const done = results.reduce((sum, result) => sum + result.done, 0)
      if (done !== mounts.length * words.length) throw new Error(`only ${done} writes were done`)
    },
  }
})
roots.close()
