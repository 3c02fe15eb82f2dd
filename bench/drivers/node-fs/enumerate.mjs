import { readdirSync, readFileSync } from 'node:fs'
import { serve } from '../serve.mjs'

await serve(([pid], [expected]) => ({
  run: () => {
    const threads = readdirSync(`/proc/${pid}/task`).map((tid) => {
      const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, 'utf8')
      const end = stat.lastIndexOf(')')
      return {
        tid: Number(tid),
        name: stat.slice(stat.indexOf('(') + 1, end),
        startTime: Number(stat.slice(end + 2).split(' ')[19]),
      }
    })
    if (threads.length !== Number(expected)) throw new Error(`${threads.length} of ${expected} threads`)
  },
}))
