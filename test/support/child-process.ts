import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
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

/**
 * Runs one to its end, and returns what it has written.
 *
 * @param without capabilities that it does not have, as setpriv(1) calls them: `sys_admin`.
 */
export function runChildWithout(without: readonly string[], file: string, args: readonly string[]): string {
  const bounds = without.length === 0 ? '+all' : without.map((name) => `-${name}`).join(',')
  const command = ['--bounding-set', bounds, process.execPath, ...argumentsFor(file, args)]
  const { stdout, stderr, status } = spawnSync('setpriv', command, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${stderr}`)
  return stdout
}

/** Runs one to its end under a limit, as prlimit(1) writes it: `nofile=64:64`. */
export function runChildUnderLimit(limit: string, file: string, args: readonly string[]): { stdout: string } {
  const command = [`--${limit}`, process.execPath, ...argumentsFor(file, args)]
  const { stdout, stderr, status } = spawnSync('prlimit', command, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${stderr}`)
  return { stdout }
}
