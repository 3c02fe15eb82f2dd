import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { directory } from '../support/cgroups'
import { describeWith, missing } from '../support/require'

const ROOT = join(__dirname, '..', '..')
const SMALL = ['--threads', '16', '--repetitions', '2']

interface Run {
  readonly child: ChildProcess
  /** When it has ended: its exit code, and what it printed on both streams. */
  readonly ended: Promise<{ code: number | null; output: string }>
}

function startBench(args: readonly string[], options: SpawnOptions = {}): Run {
  const command = [join(ROOT, 'bench', 'main.mjs'), ...args]
  const child = spawn(process.execPath, command, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], ...options })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output += String(chunk)
    })
  }
  return { child, ended: once(child, 'close').then(([code]) => ({ code, output })) }
}

/** The cgroup that everything of a run is in; the kernel removes none that still has a thread. */
function cgroupOf({ child }: Run): string {
  return directory('cpu', `/vmcg-test-bench-${child.pid}`)
}

/** The floor is C, and compiled when it is needed: a guest may have it from its host. */
const HAS_FLOOR = existsSync(join(ROOT, 'build', 'bench', 'floor')) || missing(['gcc']).length === 0
const FLOOR = HAS_FLOOR ? ['floor'] : []
const DRIVERS = [...FLOOR, 'vmcg', 'node-fs', 'node-fs-fd']

describeWith(['root', 'cgroups', 'python'], 'the bench', () => {
  it('measures every driver, saves each value, and leaves nothing', async () => {
    const run = startBench(SMALL)
    const { code, output } = await run.ended
    expect([code, output]).toEqual([0, expect.stringMatching(/^Linux .*, Node v/)])
    expect(existsSync(cgroupOf(run))).toBe(false)

    const file = join(ROOT, /saved in (.*)/.exec(output)?.[1] ?? '')
    const { trials } = JSON.parse(readFileSync(file, 'utf8'))
    rmSync(file)
    const values = [expect.any(Number), expect.any(Number)]
    const results = DRIVERS.map((name) => ({ name, values }))
    expect(trials).toEqual([expect.objectContaining({ name: 'migrate', threads: 16, results })])
    for (const { name } of results)
      expect(output).toMatch(new RegExp(`^${name} +\\d+\\.\\d\\d .* \\d+\\.\\d\\d$`, 'm'))
  })

  it('leaves nothing when it is interrupted', async () => {
    const run = startBench(['--repetitions', '999999'])
    while (!existsSync(join(cgroupOf(run), 'b'))) await new Promise((resolve) => setTimeout(resolve, 5))
    run.child.kill('SIGINT')
    expect(await run.ended).toEqual({ code: 130, output: expect.stringContaining('ended by SIGINT') })
    expect(existsSync(cgroupOf(run))).toBe(false)
  })

  it('names what there is when a search term fits nothing', async () => {
    const { code, output } = await startBench(['migrat', 'bolt']).ended
    expect([code, output]).toEqual([2, expect.stringContaining('there is migrate floor, migrate vmcg')])
  })
})

describeWith(['root', 'cgroups', 'public-checkout'], 'the bench without rights', () => {
  it('says what it needs', async () => {
    const { code, output } = await startBench(SMALL, { uid: 65534, gid: 65534 }).ended
    expect([code, output]).toEqual([2, expect.stringContaining('run it as root')])
  })
})
