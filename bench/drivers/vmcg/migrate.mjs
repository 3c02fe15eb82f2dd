// vmcg's engine: one batch for each move, packed, run on the native lane, and decoded; all of that is measured.

import { dirname } from 'node:path'
import { Batch } from '../../../dist/engine/batch.js'
import { Roots, submit } from '../../../dist/engine/lane.js'
import { OpCode } from '../../../dist/engine/native.js'
import { serve } from '../serve.mjs'

const roots = new Roots()
await serve((files, words) => {
  const tids = words.map(Number)
  const targets = files.map((file) => ({
    mount: roots.id(dirname(file)),
    file: file.slice(dirname(file).length + 1),
  }))
  return {
    run: async (to) => {
      const batch = new Batch()
      const { mount = -1, file = '' } = targets[Number(to)] ?? {}
      batch.add(OpCode.WriteIds, mount, file, { ids: tids })
      const [result] = await submit(batch)
      if (result?.done !== tids.length)
        throw new Error(`${result?.done} of ${tids.length} threads were moved`)
    },
  }
})
roots.close()
