import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { VmExit, VmProcess } from '../../src/engine/vm-process'

/** What a process that was launched has written and how it ended, once both are complete. */
export interface Ending extends VmExit {
  readonly stdout: string
  readonly stderr: string
}

export async function endOf(process: VmProcess): Promise<Ending> {
  const [stdout, stderr, { code, signal }] = await Promise.all([
    textOf(process.stdout),
    textOf(process.stderr),
    process.exited,
  ])
  return { stdout, stderr, code, signal }
}

async function textOf(stream: VmProcess['stdout']): Promise<string> {
  let text = ''
  for await (const chunk of stream ?? []) text += String(chunk)
  return text
}

/** Builds `first-look.c` in a directory. @returns the program's path */
export function buildFirstLook(directory: string): string {
  const program = join(directory, 'first-look')
  execFileSync('gcc', ['-O1', '-static', '-o', program, join(__dirname, 'first-look.c')])
  return program
}

/** What a program of `first-look.c` says: hierarchy → the cgroup that it was in by its first instruction. */
export async function firstLook({ stdout }: VmProcess): Promise<Record<string, string>> {
  if (stdout === null) throw new Error('a first look is told on a pipe')
  let text = ''
  while (!text.endsWith('end\n')) {
    const [chunk] = await once(stdout, 'data')
    text += String(chunk)
  }
  const lines = text.trimEnd().split('\n').slice(0, -1)
  return Object.fromEntries(
    lines.map((line) => {
      const [number, names = '', ...path] = line.split(':')
      return [number === '0' ? 'unified' : names, path.join(':')]
    }),
  )
}
