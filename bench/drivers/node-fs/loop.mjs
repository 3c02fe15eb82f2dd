// The trial `adopt`, with an eye on the event loop.

import { serve } from '../serve.mjs'
import { longestStall } from '../stall.mjs'
import { adoptAll } from './adopting.mjs'
import { Monitor } from './qmp.mjs'

await serve(async (args, words) => {
  const monitors = await Promise.all(words.map(Monitor.connect))
  process.stdin.once('end', () => {
    for (const monitor of monitors) monitor.close()
  })
  return { run: () => longestStall(() => adoptAll(monitors, args)) }
})
