import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

/** Runs a TypeScript file of `test/support/child` in a process of its own. */
export function runChild(file: string, args: readonly string[]): ChildProcessByStdio<null, Readable, null> {
  const hook = join(__dirname, 'typescript.js')
  return spawn(process.execPath, ['--require', hook, join(__dirname, 'child', file), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
