import { readFileSync } from 'node:fs'
import { serve } from '../serve.mjs'

await serve((_, files) => ({
  run: () => {
    for (const file of files) {
      for (const line of readFileSync(file, 'utf8').split('\n')) line.split(' ').map(Number)
    }
  },
}))
