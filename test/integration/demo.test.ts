import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { knobOf, quotaText } from '../support/cgroup-limits'
import { directory, freshPath, hierarchyOf } from '../support/cgroups'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'

const DEMO = join(__dirname, '..', '..', 'examples', 'demo', 'main.mjs')
const { hierarchies } = detectHost()

/** Longer than any host needs for a demo that takes ten seconds. */
const TIMEOUT_MS = patience(120_000)

/** What the demo's containers ask for together: before, and what it shows that is made of it. */
const QUOTAS = [
  [null, 50_000],
  [50_000, 90_000],
] as const

interface Run {
  readonly child: ChildProcess
  /** What it has printed so far, on both streams. */
  output(): string
  /** Resolves when it has printed this. */
  until(text: string): Promise<void>
  /** Its exit code, when it has ended and everything that it printed is here. */
  readonly ended: Promise<number | null>
}

let temp: string

beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'vmcg-test-demo-'))
  chmodSync(temp, 0o777)
})

afterEach(() => rmSync(temp, { recursive: true }))

/** Everything that a demo puts into the temporary directory is below `temp`. */
function start(
  command: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = {},
  options: SpawnOptions = {},
): Run {
  const [program, ...args] = command
  const child = spawn(program, args, {
    env: { ...process.env, NO_COLOR: '1', TMPDIR: temp, ...env },
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

function startDemo(env?: NodeJS.ProcessEnv, options?: SpawnOptions): Run {
  return start([process.execPath, DEMO], env, options)
}

/** The process id of the VMM, as the demo says it. */
function vmmOf(run: Run): number {
  return Number(/process (\d+)/.exec(run.output())?.[1])
}

/** Every trace of demos: files, and the cgroups and the VMM of one. */
function leftBy(demoPid: number | undefined, vmm: number): string[] {
  const cgroups = hierarchies.map(({ mountPoint }) => join(mountPoint, `vmcg-demo-${demoPid}`))
  return [...cgroups, `/proc/${vmm}`].filter((path) => existsSync(path)).concat(readdirSync(temp))
}

describeWith(['root', 'cgroups', 'spinvm'], 'the demo', () => {
  it(
    'shows the plan, every thread, and both limits held; two at once do not disturb each other',
    async () => {
      const runs = [startDemo(), startDemo({ PATH: '' })]
      for (const run of runs) {
        expect([await run.ended, run.output()]).toEqual([0, expect.stringContaining('5. Destroy')])
        const output = run.output()
        const sandbox = `/vmcg-demo-${run.child.pid}/vm`
        const leaf = `${hierarchyOf('cpu')}:${sandbox}/vcpu`
        expect(output).toContain(`+ ${leaf}\n`)
        for (const [before, after] of QUOTAS)
          expect(output).toContain(
            `~ ${leaf}  ${knobOf('quota')} ${quotaText(before)} → ${quotaText(after)}\n`,
          )
        expect(output).toMatch(/ tid {2}name +role +cgroup +CPU before +CPU after\n/)
        expect(output.match(new RegExp(` vcpu +${sandbox}/vcpu +\\d+\\.\\d % `, 'g'))).toHaveLength(4)
        expect(output.match(new RegExp(` iothread +${sandbox} `, 'g'))).toHaveLength(1)
        const throttled = /limit 50 %\n +nr_throttled (\d+) → (\d+)/.exec(output)
        expect(Number(throttled?.[2])).toBeGreaterThan(Number(throttled?.[1]))
        expect(output).toMatch(/limit 90 %\n +nr_throttled \d+ → \d+/)
        expect(output).toContain(`after refresh() it is in ${sandbox}/vcpu\n`)
        expect(output.split('\n').filter((line) => line.length > 100)).toEqual([])
      }
      for (const run of runs) expect(leftBy(run.child.pid, vmmOf(run))).toEqual([])
    },
    TIMEOUT_MS,
  )

  it(
    'says why it runs the embedded VMM, and leaves nothing when it is interrupted twice',
    async () => {
      const run = startDemo({ PATH: '' })
      await run.until('over QMP')
      run.child.kill('SIGINT')
      run.child.kill('SIGINT')
      expect(await run.ended).toBe(130)
      expect(run.output()).toContain('vmcg-spinvm')
      expect(run.output()).toContain('qemu-system-x86_64 is not on the PATH')
      expect(leftBy(run.child.pid, vmmOf(run))).toEqual([])
    },
    TIMEOUT_MS,
  )

  it.each(['1. Start a VM', 'measuring', '# vm: placement', '4. Plug in'])(
    'leaves nothing when it is interrupted after "%s"',
    async (moment) => {
      const run = startDemo()
      await run.until(moment)
      run.child.kill('SIGINT')
      expect([await run.ended, run.output()]).toEqual([130, expect.stringContaining('ended by SIGINT')])
      expect(leftBy(run.child.pid, vmmOf(run))).toEqual([])
    },
    TIMEOUT_MS,
  )

  it(
    'leaves nothing when it is interrupted while it destroys everything',
    async () => {
      const run = startDemo()
      await run.until('5. Destroy everything')
      run.child.kill('SIGINT')
      // It may be done before the signal comes.
      expect([0, 130]).toContain(await run.ended)
      expect(leftBy(run.child.pid, vmmOf(run))).toEqual([])
    },
    TIMEOUT_MS,
  )

  it.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    'leaves nothing at %s',
    async (signal, code) => {
      const run = startDemo()
      await run.until('measuring')
      run.child.kill(signal)
      expect(await run.ended).toBe(code)
      expect(leftBy(run.child.pid, vmmOf(run))).toEqual([])
    },
    TIMEOUT_MS,
  )

  it(
    'leaves nothing when its reader goes away',
    async () => {
      const run = startDemo()
      await run.until('measuring')
      run.child.stdout?.destroy()
      expect(await run.ended).toBe(141)
      expect(leftBy(run.child.pid, vmmOf(run))).toEqual([])
    },
    TIMEOUT_MS,
  )

  it(
    'leaves nothing when its parent ends without it, as npm does at SIGTERM',
    async () => {
      const run = start(['sh', '-c', '"$0" "$1" & echo "demo $!"; wait', process.execPath, DEMO])
      await run.until('measuring')
      const demo = Number(/demo (\d+)/.exec(run.output())?.[1])
      run.child.kill('SIGKILL')
      await run.ended
      expect(run.output()).toContain('ended by SIGTERM')
      expect(leftBy(demo, vmmOf(run))).toEqual([])
    },
    TIMEOUT_MS,
  )

  it(
    'takes its embedded VMM with it when it is killed',
    async () => {
      const run = startDemo({ VMCG_DEMO_VMM: 'spinvm' })
      await run.until('measuring')
      const vmm = vmmOf(run)
      run.child.kill('SIGKILL')
      await run.ended
      while (existsSync(`/proc/${vmm}/exe`)) await new Promise((resolve) => setTimeout(resolve, 10))
    },
    TIMEOUT_MS,
  )

  it('refuses a VMM that it does not know', async () => {
    const run = startDemo({ VMCG_DEMO_VMM: 'bhyve' })
    expect([await run.ended, run.output()]).toEqual([2, expect.stringContaining('qemu or spinvm, not bhyve')])
  })
})

describeWith(['root', 'cgroups', 'qemu'], 'the demo on a host with QEMU', () => {
  it(
    'says that it runs QEMU, keeps what QEMU prints to itself, and shows it when QEMU dies',
    async () => {
      const run = startDemo()
      await run.until('measuring')
      expect(run.output()).toMatch(/QEMU with (KVM|TCG)/)
      expect(run.output()).not.toContain('warning')
      process.kill(vmmOf(run), 'SIGKILL')
      expect(await run.ended).toBe(1)
      expect(run.output()).toMatch(/QEMU with .* has ended: SIGKILL/)
      expect(leftBy(run.child.pid, vmmOf(run))).toEqual([])
    },
    TIMEOUT_MS,
  )
})

describeWith(['root', 'cgroups'], 'the demo with a QEMU that does not start', () => {
  it('says so in the words of that QEMU, and leaves nothing', async () => {
    const bin = join(temp, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'qemu-system-x86_64'), '#!/bin/sh\necho no CPU for you >&2\nexit 3\n', {
      mode: 0o755,
    })
    const run = startDemo({ PATH: `${bin}:${process.env['PATH']}` })
    expect([await run.ended, run.output()]).toEqual([
      1,
      expect.stringMatching(/exit code 3\n +no CPU for you/),
    ])
    rmSync(bin, { recursive: true })
    expect(leftBy(run.child.pid, vmmOf(run))).toEqual([])
  })
})

describeWith(['root', 'cgroups', 'public-checkout'], 'the demo without rights', () => {
  it('prints the sudo line and leaves nothing', async () => {
    const run = startDemo({}, { uid: 65534, gid: 65534 })
    expect([await run.ended, run.output()]).toEqual([2, expect.stringContaining('write access')])
    expect(run.output()).toContain(`  sudo ${process.execPath} ${DEMO}\n`)
    expect(readdirSync(temp)).toEqual([])
  })
})

describeWith(['root', 'cgroups', 'unshare'], 'the demo on a host that it cannot serve', () => {
  it('says what is missing and what to do, and leaves nothing', async () => {
    const script = 'mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$1"'
    const run = start(['unshare', '--mount', 'sh', '-c', script, process.execPath, DEMO])
    expect([await run.ended, run.output()]).toEqual([2, expect.stringContaining('ERR_VMCG_NO_CONTROLLER')])
    expect(run.output()).toContain('mount -t cgroup -o cpu')
    expect(run.output()).not.toContain('1. Start')
    expect(readdirSync(temp)).toEqual([])
  })
})

describeWith(
  ['root', 'cgroup-v2', 'unshare'],
  'the demo in a container that was given no controllers',
  () => {
    const container = directory('cpu', freshPath())

    beforeEach(() => {
      mkdirSync(container)
    })
    afterEach(() => rmdirSync(container))

    it('says that they must be handed down, and leaves nothing', async () => {
      const script = 'mount --bind "$2" /sys/fs/cgroup && exec "$0" "$1"'
      const run = start(['unshare', '--mount', 'sh', '-c', script, process.execPath, DEMO, container])
      expect([await run.ended, run.output()]).toEqual([2, expect.stringContaining('ERR_VMCG_NO_CONTROLLER')])
      expect(run.output()).toContain('it must be handed down from above (systemd: Delegate=yes)')
      expect(run.output()).not.toContain('1. Start')
      expect(readdirSync(temp)).toEqual([])
    })
  },
)
