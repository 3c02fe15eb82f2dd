import { mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { knobOf, quotaText } from '../support/cgroup-limits'
import { directory, freshPath, hierarchyOf } from '../support/cgroups'
import { DEMO, DEMO_TIMEOUT_MS, DemoFolder, vmmOf } from '../support/demo-run'
import { describeWith } from '../support/require'

/** What the demo's containers ask for together: before, and what it shows that is made of it. */
const QUOTAS = [
  [null, 50_000],
  [50_000, 90_000],
] as const

let folder: DemoFolder

beforeEach(() => {
  folder = new DemoFolder()
})

afterEach(() => folder.remove())

describeWith(['root', 'cgroups', 'spinvm'], 'the demo', () => {
  it(
    'shows the plan, every thread, and both limits held; two at once do not disturb each other',
    async () => {
      const runs = [folder.startDemo(), folder.startDemo({ PATH: '' })]
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
      for (const run of runs) expect(folder.left(run.child.pid, vmmOf(run))).toEqual([])
    },
    DEMO_TIMEOUT_MS,
  )

  it('refuses a VMM that it does not know', async () => {
    const run = folder.startDemo({ VMCG_DEMO_VMM: 'bhyve' })
    expect([await run.ended, run.output()]).toEqual([2, expect.stringContaining('qemu or spinvm, not bhyve')])
  })
})

describeWith(['root', 'cgroups', 'qemu'], 'the demo on a host with QEMU', () => {
  it(
    'says that it runs QEMU, keeps what QEMU prints to itself, and shows it when QEMU dies',
    async () => {
      const run = folder.startDemo()
      await run.until('measuring')
      expect(run.output()).toMatch(/QEMU with (KVM|TCG)/)
      expect(run.output()).not.toContain('warning')
      process.kill(vmmOf(run), 'SIGKILL')
      expect(await run.ended).toBe(1)
      expect(run.output()).toMatch(/QEMU with .* has ended: SIGKILL/)
      expect(folder.left(run.child.pid, vmmOf(run))).toEqual([])
    },
    DEMO_TIMEOUT_MS,
  )
})

describeWith(['root', 'cgroups'], 'the demo with a QEMU that does not start', () => {
  it('says so in the words of that QEMU, and leaves nothing', async () => {
    const bin = join(folder.path, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'qemu-system-x86_64'), '#!/bin/sh\necho no CPU for you >&2\nexit 3\n', {
      mode: 0o755,
    })
    const run = folder.startDemo({ PATH: `${bin}:${process.env['PATH']}` })
    expect([await run.ended, run.output()]).toEqual([
      1,
      expect.stringMatching(/exit code 3\n +no CPU for you/),
    ])
    rmSync(bin, { recursive: true })
    expect(folder.left(run.child.pid, vmmOf(run))).toEqual([])
  })
})

describeWith(['root', 'cgroups', 'public-checkout'], 'the demo without rights', () => {
  it('prints the sudo line and leaves nothing', async () => {
    const run = folder.startDemo({}, { uid: 65534, gid: 65534 })
    expect([await run.ended, run.output()]).toEqual([2, expect.stringContaining('write access')])
    expect(run.output()).toContain(`  sudo ${process.execPath} ${DEMO}\n`)
    expect(readdirSync(folder.path)).toEqual([])
  })
})

describeWith(['root', 'cgroups', 'unshare'], 'the demo on a host that it cannot serve', () => {
  it('says what is missing and what to do, and leaves nothing', async () => {
    const script = 'mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$1"'
    const run = folder.start(['unshare', '--mount', 'sh', '-c', script, process.execPath, DEMO])
    expect([await run.ended, run.output()]).toEqual([2, expect.stringContaining('ERR_VMCG_NO_CONTROLLER')])
    expect(run.output()).toContain('mount -t cgroup -o cpu')
    expect(run.output()).not.toContain('1. Start')
    expect(readdirSync(folder.path)).toEqual([])
  })
})

describeWith(
  ['root', 'cgroup-v2', 'unshare'],
  'the demo in a container that was given no controllers',
  () => {
    // Its parent hands nothing down, whatever others have had the root hand to all of its children.
    const parent = directory('cpu', freshPath())
    const container = join(parent, 'container')

    beforeEach(() => {
      mkdirSync(container, { recursive: true })
    })
    afterEach(() => {
      for (const path of [container, parent]) rmdirSync(path)
    })

    it('says that they must be handed down, and leaves nothing', async () => {
      const script = 'mount --bind "$2" /sys/fs/cgroup && exec "$0" "$1"'
      const run = folder.start(['unshare', '--mount', 'sh', '-c', script, process.execPath, DEMO, container])
      expect([await run.ended, run.output()]).toEqual([2, expect.stringContaining('ERR_VMCG_NO_CONTROLLER')])
      expect(run.output()).toContain('it must be handed down from above (systemd: Delegate=yes)')
      expect(run.output()).not.toContain('1. Start')
      expect(readdirSync(folder.path)).toEqual([])
    })
  },
)
