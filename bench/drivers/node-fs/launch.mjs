// Starts the child, which waits; writes its pid to each cgroup; lets it go.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { serve } from '../serve.mjs'

await serve(([stamp = '', ...folders]) => ({
  run: async () => {
    const startUs = Number(process.hrtime.bigint() / 1000n)
    const child = spawn(stamp, ['wait'], { stdio: ['pipe', 'pipe', 'inherit'] })
    for (const folder of folders) writeFileSync(`${folder}/cgroup.procs`, String(child.pid))
    child.stdin.end('\n')
    const [began] = await Promise.all([text(child.stdout), once(child, 'close')])
    return Number(began) - startUs
  },
}))
