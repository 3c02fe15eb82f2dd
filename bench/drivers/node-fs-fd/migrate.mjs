// The most that Node does by itself: a kept descriptor, and one write for each thread on the event loop's thread.

import { openSync, writeSync } from 'node:fs'
import { serve } from '../serve.mjs'

await serve((files, tids) => {
  const descriptors = files.map((file) => openSync(file, 'w'))
  return {
    run: (to) => {
      for (const tid of tids) writeSync(descriptors[Number(to)] ?? -1, tid)
    },
  }
})
