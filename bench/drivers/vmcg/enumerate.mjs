// One operation of the engine: the list, and of each thread its name, flags and start time.

import { Batch, resultTasks } from '../../../dist/engine/batch.js'
import { Roots, submit } from '../../../dist/engine/lane.js'
import { OpCode } from '../../../dist/engine/native.js'
import { serve } from '../serve.mjs'

const roots = new Roots()
await serve(([pid = ''], [expected]) => {
  const proc = roots.id('/proc')
  return {
    run: async () => {
      const batch = new Batch()
      batch.add(OpCode.ListTasks, proc, pid)
      const [result] = await submit(batch)
      const threads = result === undefined ? [] : resultTasks(result)
      if (threads.length !== Number(expected)) throw new Error(`${threads.length} of ${expected} threads`)
    },
  }
})
roots.close()
