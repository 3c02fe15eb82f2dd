// Denies all, and allows one rule after the other; in between, more is denied than either rule set says.

import { writeFileSync } from 'node:fs'
import { serve } from '../serve.mjs'

await serve(([folder], words) => {
  const sets = words.join(' ').split('|')
  return {
    run: (set) => {
      for (const rule of (sets[Number(set)] ?? '').split(',')) {
        writeFileSync(`${folder}/devices.${rule.startsWith('+') ? 'allow' : 'deny'}`, rule.slice(1))
      }
    },
  }
})
