import { existsSync } from 'node:fs'
import { DEMO, DEMO_TIMEOUT_MS, DemoFolder, vmmOf } from '../support/demo-run'
import { describeWith } from '../support/require'

let folder: DemoFolder

beforeEach(() => {
  folder = new DemoFolder()
})

afterEach(() => folder.remove())

describeWith(['root', 'cgroups', 'spinvm'], 'the demo', () => {
  it(
    'says why it runs the embedded VMM, and leaves nothing when it is interrupted twice',
    async () => {
      const run = folder.startDemo({ PATH: '' })
      await run.until('over QMP')
      run.child.kill('SIGINT')
      run.child.kill('SIGINT')
      expect(await run.ended).toBe(130)
      expect(run.output()).toContain('vmcg-spinvm')
      expect(run.output()).toContain('qemu-system-x86_64 is not on the PATH')
      expect(folder.left(run.child.pid, vmmOf(run))).toEqual([])
    },
    DEMO_TIMEOUT_MS,
  )

  it.each(['1. Start a VM', 'measuring', '# vm: placement', '4. Plug in'])(
    'leaves nothing when it is interrupted after "%s"',
    async (moment) => {
      const run = folder.startDemo()
      await run.until(moment)
      run.child.kill('SIGINT')
      expect([await run.ended, run.output()]).toEqual([130, expect.stringContaining('ended by SIGINT')])
      expect(folder.left(run.child.pid, vmmOf(run))).toEqual([])
    },
    DEMO_TIMEOUT_MS,
  )

  it(
    'leaves nothing when it is interrupted while it destroys everything',
    async () => {
      const run = folder.startDemo()
      await run.until('5. Destroy everything')
      run.child.kill('SIGINT')
      // It may be done before the signal comes.
      expect([0, 130]).toContain(await run.ended)
      expect(folder.left(run.child.pid, vmmOf(run))).toEqual([])
    },
    DEMO_TIMEOUT_MS,
  )

  it.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    'leaves nothing at %s',
    async (signal, code) => {
      const run = folder.startDemo()
      await run.until('measuring')
      run.child.kill(signal)
      expect(await run.ended).toBe(code)
      expect(folder.left(run.child.pid, vmmOf(run))).toEqual([])
    },
    DEMO_TIMEOUT_MS,
  )

  it(
    'leaves nothing when its reader goes away',
    async () => {
      const run = folder.startDemo()
      await run.until('measuring')
      run.child.stdout?.destroy()
      expect(await run.ended).toBe(141)
      expect(folder.left(run.child.pid, vmmOf(run))).toEqual([])
    },
    DEMO_TIMEOUT_MS,
  )

  it(
    'leaves nothing when its parent ends without it, as npm does at SIGTERM',
    async () => {
      const run = folder.start(['sh', '-c', '"$0" "$1" & echo "demo $!"; wait', process.execPath, DEMO])
      await run.until('measuring')
      const demo = Number(/demo (\d+)/.exec(run.output())?.[1])
      run.child.kill('SIGKILL')
      await run.ended
      expect(run.output()).toContain('ended by SIGTERM')
      expect(folder.left(demo, vmmOf(run))).toEqual([])
    },
    DEMO_TIMEOUT_MS,
  )

  it(
    'takes its embedded VMM with it when it is killed',
    async () => {
      const run = folder.startDemo({ VMCG_DEMO_VMM: 'spinvm' })
      await run.until('measuring')
      const vmm = vmmOf(run)
      run.child.kill('SIGKILL')
      await run.ended
      while (existsSync(`/proc/${vmm}/exe`)) await new Promise((resolve) => setTimeout(resolve, 10))
    },
    DEMO_TIMEOUT_MS,
  )
})
