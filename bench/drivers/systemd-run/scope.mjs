// The program that systemd comes with, which waits for the scope's start and becomes the program.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { serve } from '../serve.mjs'

const COMMAND = ['--scope', '--quiet', '--collect', '--property=Delegate=yes', '--', 'true']

async function runOne() {
  const [code] = await once(spawn('systemd-run', COMMAND, { stdio: 'inherit' }), 'close')
  if (code !== 0) throw new Error(`systemd-run ended with ${code}`)
}

await serve((_args, [count]) => ({
  run: async () => {
    await Promise.all(Array.from({ length: Number(count) }, runOne))
  },
}))
