import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { directory } from '../support/cgroups'
import { describeWith, missing } from '../support/require'
import { patience } from '../support/scale'

const ROOT = join(__dirname, '..', '..')
const SMALL = ['--up-to', '16', '--repetitions', '1']

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

interface SavedRun {
  readonly trials: readonly {
    readonly name: string
    readonly cases: readonly {
      readonly results: readonly { readonly name: string; readonly values: readonly number[] }[]
    }[]
  }[]
  readonly profiles: readonly {
    readonly drivers: readonly {
      readonly name: string
      readonly calls: readonly (readonly [string, number])[]
      readonly parts: readonly (readonly [string, number])[]
    }[]
  }[]
}

/** Takes what a run has saved. */
function takeSaved(output: string): SavedRun {
  const file = join(ROOT, /saved in (.*)/.exec(output)?.[1] ?? '')
  const run: SavedRun = JSON.parse(readFileSync(file, 'utf8'))
  rmSync(file)
  return run
}

/** Those that need no more than Node and the addon. */
const NODE_DRIVERS: Readonly<Record<string, readonly string[]>> = {
  migrate: ['vmcg', 'node-fs', 'node-fs-fd'],
  place: ['vmcg-engine', 'vmcg', 'node-fs'],
  adopt: ['vmcg', 'node-fs'],
  launch: ['vmcg', 'node-fs'],
  hotplug: ['vmcg', 'node-fs'],
  loop: ['vmcg', 'node-fs'],
  stats: ['vmcg', 'node-fs'],
  enumerate: ['vmcg', 'node-fs'],
  devices: ['vmcg', 'node-fs'],
  scope: ['systemd-run', 'vmcg'],
  merge: ['vmcg'],
  memory: ['vmcg'],
  start: ['bare-node', 'vmcg'],
}

/** What moves single threads by the hierarchies of v1. */
const V1_TRIALS = ['place', 'adopt', 'launch', 'hotplug', 'loop', 'stats', 'devices', 'memory']

/** The stand-ins for VMs are C, and compiled when they are needed: a guest may have them from its host. */
const HAS_CREW = existsSync(join(ROOT, 'build', 'bench', 'crew'))

describeWith(['root', 'cgroups', ...(HAS_CREW ? [] : (['gcc'] as const))], 'the bench', () => {
  it(
    'runs every trial with every driver that can be had, and leaves nothing',
    async () => {
      const run = startBench(SMALL)
      const { code, output } = await run.ended
      expect([code, output]).toEqual([0, expect.stringMatching(/^Linux .*, Node v/)])
      expect(existsSync(cgroupOf(run))).toBe(false)

      const { trials } = takeSaved(output)
      const lacking = [
        ...(missing(['cgroup-v1']).length === 0 ? [] : V1_TRIALS),
        ...(missing(['systemd']).length === 0 ? [] : ['scope']),
      ]
      const expected = Object.keys(NODE_DRIVERS).filter((name) => !lacking.includes(name))
      expect(trials.map(({ name }) => name).sort()).toEqual(expected.sort())
      for (const { name, cases } of trials) {
        for (const { results } of cases) {
          expect(results.map((result) => result.name)).toEqual(
            expect.arrayContaining([...(NODE_DRIVERS[name] ?? [])]),
          )
          expect(results.flatMap(({ values }) => values).every(Number.isFinite)).toBe(true)
        }
      }
    },
    patience(120_000),
  )

  it('leaves nothing when it is interrupted', async () => {
    const run = startBench(['migrate', '--repetitions', '999999'])
    const hasEnded = () => run.child.exitCode !== null || run.child.signalCode !== null
    while (!existsSync(join(cgroupOf(run), 'b')) && !hasEnded()) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    run.child.kill('SIGINT')
    expect(await run.ended).toEqual({ code: 130, output: expect.stringContaining('ended by SIGINT') })
    expect(existsSync(cgroupOf(run))).toBe(false)
  })

  it('names what there is when a search term fits nothing', async () => {
    const { code, output } = await startBench(['migrat', 'bolt']).ended
    expect([code, output]).toEqual([2, expect.stringContaining('there is migrate (floor, vmcg')])
  })
})

describeWith(['root', 'cgroup-v1', 'gcc', 'strace'], 'the bench, asked for a profile', () => {
  it('shows what the runs of a case are made of', async () => {
    const { code, output } = await startBench(['--profile', 'place', ...SMALL]).ended
    expect(code).toBe(0)
    const { profiles } = takeSaved(output)
    expect(profiles).toEqual([
      {
        trial: 'place',
        case: '4 vCPUs, warm',
        unit: 'µs',
        drivers: ['floor', 'floor-careful', 'vmcg-engine', 'vmcg'].map((name) =>
          expect.objectContaining({ name, first: expect.any(Number), later: expect.any(Number) }),
        ),
      },
    ])
    for (const { name, calls, parts } of profiles[0]?.drivers ?? []) {
      // In each of three hierarchies the process, and each vCPU.
      expect([name, new Map(calls).get('write')]).toEqual([name, expect.anything()])
      expect(new Map(calls).get('write')).toBeGreaterThanOrEqual(15)
      if (name !== 'vmcg') continue
      expect(parts.reduce((sum, [, share]) => sum + share, 0)).toBeCloseTo(1, 3)
      expect(new Map(parts).get('src/engine')).toBeGreaterThan(0)
    }
  })
})

/** The one trial with a driver in C that needs no stand-ins is of v1. */
describeWith(['root', 'devices-v1'], 'the bench without a compiler', () => {
  it('says how to get what a driver lacks, and goes on without it', async () => {
    const env = { ...process.env, CC: 'no-such-compiler', VMCG_BENCH_BUILD: 'build/bench-nothing' }
    const { code, output } = await startBench(['devices', ...SMALL], { env }).ended
    expect([code, output]).toEqual([0, expect.stringMatching(/left out: floor: apt-get install gcc, or CC=/)])
    rmSync(join(ROOT, 'build', 'bench-nothing'), { recursive: true, force: true })
    takeSaved(output)
  })
})

describeWith(['root', 'cgroups', 'public-checkout'], 'the bench without rights', () => {
  it('says what it needs', async () => {
    const { code, output } = await startBench(SMALL, { uid: 65534, gid: 65534 }).ended
    expect([code, output]).toEqual([2, expect.stringContaining('run it as root')])
  })
})
