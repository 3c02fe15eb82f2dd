import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

const HOOK = join(__dirname, 'typescript.js')

function argumentsFor(file: string, args: readonly string[]): string[] {
  return ['--require', HOOK, join(__dirname, 'child', file), ...args]
}

/** Runs a TypeScript file of `test/support/child` in a process of its own. */
export function runChild(file: string, args: readonly string[]): ChildProcessByStdio<null, Readable, null> {
  return spawn(process.execPath, argumentsFor(file, args), { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** The same, for one that is told something on its stdin. */
export function runChildWithInput(
  file: string,
  args: readonly string[],
): ChildProcessByStdio<Writable, Readable, null> {
  return spawn(process.execPath, argumentsFor(file, args), { stdio: ['pipe', 'pipe', 'inherit'] })
}
