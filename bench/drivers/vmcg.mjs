// vmcg's engine: one batch for each move, packed, run on the native lane, and decoded; all of that is measured.

import { Batch } from '../../dist/engine/batch.js'
import { Roots, submit } from '../../dist/engine/lane.js'
import { OpCode } from '../../dist/engine/native.js'
import { serve } from './serve.mjs'

const roots = new Roots()
await serve((files, tids) => {
  const mount = roots.id(process.cwd())
  return async (to) => {
    const batch = new Batch()
    batch.add(OpCode.WriteIds, mount, files[to], { ids: tids })
    const [result] = await submit(batch)
    if (result?.done !== tids.length) throw new Error(`${result?.done} of ${tids.length} threads were moved`)
  }
})
roots.close()
