// Asks all VMs at once, and then does everything in the order in which one thinks of it.

import { serve } from '../serve.mjs'
import { adoptAll } from './adopting.mjs'
import { Monitor } from './qmp.mjs'

await serve(async (args, words) => {
  const monitors = await Promise.all(words.map(Monitor.connect))
  process.stdin.once('end', () => {
    for (const monitor of monitors) monitor.close()
  })
  return { run: () => adoptAll(monitors, args) }
})
