// What is written first when cgroups are new to one: open, write and close for each thread.

import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { serve } from './serve.mjs'

await serve(([first, second], tids) => {
  const paths = /** @type {const} */ ([resolve(first), resolve(second)])
  return (to) => {
    for (const tid of tids) writeFileSync(paths[to], String(tid))
  }
})
