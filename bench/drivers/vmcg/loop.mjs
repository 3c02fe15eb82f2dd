// The trial `adopt`, with an eye on the event loop.

import { serve } from '../serve.mjs'
import { longestStall } from '../stall.mjs'
import { AdoptedVms, connectAll, SandboxKind } from './sandboxes.mjs'

/** @type {AdoptedVms | undefined} */
let vms
await serve(async (args, words) => {
  const adopted = new AdoptedVms(new SandboxKind(args), await connectAll(words))
  vms = adopted
  return {
    prepare: () => adopted.prepare(),
    run: () => longestStall(() => adopted.adopt()),
    undo: () => adopted.undo(),
  }
})
await vms?.end()
