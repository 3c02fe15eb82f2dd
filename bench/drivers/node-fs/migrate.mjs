// What is written first when cgroups are new to one: open, write and close for each thread.

import { writeFileSync } from 'node:fs'
import { serve } from '../serve.mjs'

await serve((files, tids) => ({
  run: (to) => {
    for (const tid of tids) writeFileSync(files[Number(to)] ?? '', tid)
  },
}))
