// The trial `adopt`, with an eye on the event loop.

import { serve } from '../serve.mjs'
import { LoopWatch } from '../stall.mjs'
import { AdoptedVms, connectAll, SandboxKind } from './sandboxes.mjs'

/** @type {AdoptedVms | undefined} */
let vms
const loop = new LoopWatch()
await serve(async (args, words) => {
  const adopted = new AdoptedVms(new SandboxKind(args), await connectAll(words))
  vms = adopted
  return {
    prepare: () => adopted.prepare(),
    run: () => loop.watch(() => adopted.adopt()),
    also: () => loop.collectionUs(),
    undo: () => adopted.undo(),
  }
})
loop.end()
await vms?.end()
