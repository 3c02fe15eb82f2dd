// VMs become sandboxes: asked over QMP, their cgroups made, limits set, threads placed, and all of it looked at again.

import { serve } from '../serve.mjs'
import { AdoptedVms, connectAll, SandboxKind } from './sandboxes.mjs'

/** @type {AdoptedVms | undefined} */
let vms
await serve(async (args, words) => {
  const adopted = new AdoptedVms(new SandboxKind(args), await connectAll(words))
  vms = adopted
  return {
    prepare: () => adopted.prepare(),
    run: () => adopted.adopt(),
    undo: () => adopted.undo(),
    also: () => adopted.slowestMove(),
  }
})
await vms?.end()
