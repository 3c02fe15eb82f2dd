// The trial `adopt`, with an eye on the event loop.

import { serve } from '../serve.mjs'
import { LoopWatch } from '../stall.mjs'
import { adoptAll } from './adopting.mjs'
import { Monitor } from './qmp.mjs'

const loop = new LoopWatch()
await serve(async (args, words) => {
  const monitors = await Promise.all(words.map(Monitor.connect))
  process.stdin.once('end', () => {
    for (const monitor of monitors) monitor.close()
  })
  return {
    run: () => loop.watch(() => adoptAll(monitors, args)),
    also: () => loop.collectionUs(),
  }
})
loop.end()
