import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { patience } from './scale'

export const DEMO = join(__dirname, '..', '..', 'examples', 'demo', 'main.mjs')
const { hierarchies } = detectHost()

/** Longer than any host needs for a demo that takes ten seconds. */
export const DEMO_TIMEOUT_MS = patience(120_000)

export interface DemoRun {
  readonly child: ChildProcess
  /** What it has printed so far, on both streams. */
  output(): string
  /** Resolves when it has printed this. */
  until(text: string): Promise<void>
  /** Its exit code, when it has ended and everything that it printed is here. */
  readonly ended: Promise<number | null>
}

/** The directory for temporary files of a test's demos, in which nothing may stay. */
export class DemoFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'vmcg-test-demo-'))

  constructor() {
    chmodSync(this.path, 0o777)
  }

  start(
    command: readonly [string, ...string[]],
    env: NodeJS.ProcessEnv = {},
    options: SpawnOptions = {},
  ): DemoRun {
    const [program, ...args] = command
    const child = spawn(program, args, {
      env: { ...process.env, NO_COLOR: '1', TMPDIR: this.path, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        output += String(chunk)
      })
    }
    const ended = once(child, 'close').then(([code]) => code)
    const until = async (text: string): Promise<void> => {
      while (!output.includes(text)) {
        const news = await Promise.race([once(child.stdout ?? child, 'data'), ended.then(() => undefined)])
        if (news === undefined && !output.includes(text)) throw new Error(`no "${text}" in: ${output}`)
      }
    }
    return { child, output: () => output, until, ended }
  }

  startDemo(env?: NodeJS.ProcessEnv, options?: SpawnOptions): DemoRun {
    return this.start([process.execPath, DEMO], env, options)
  }

  /** Every trace of demos: files, and the cgroups and the VMM of one. */
  left(demoPid: number | undefined, vmm: number): string[] {
    const cgroups = hierarchies.map(({ mountPoint }) => join(mountPoint, `vmcg-demo-${demoPid}`))
    return [...cgroups, `/proc/${vmm}`].filter((path) => existsSync(path)).concat(readdirSync(this.path))
  }

  remove(): void {
    rmSync(this.path, { recursive: true })
  }
}

/** The process id of the VMM, as the demo says it. */
export function vmmOf(run: DemoRun): number {
  return Number(/process (\d+)/.exec(run.output())?.[1])
}
