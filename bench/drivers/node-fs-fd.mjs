// The most that Node does by itself: a kept descriptor, and one write for each thread on the event loop's thread.

import { openSync, writeSync } from 'node:fs'
import { serve } from './serve.mjs'

await serve(([first, second], tids) => {
  const descriptors = /** @type {const} */ ([openSync(first, 'w'), openSync(second, 'w')])
  return (to) => {
    for (const tid of tids) writeSync(descriptors[to], String(tid))
  }
})
