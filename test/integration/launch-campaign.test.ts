import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Bench } from '../support/bench'
import { threadsIn } from '../support/cgroups'
import { runChild } from '../support/child-process'
import { buildFirstLook } from '../support/launches'
import { holdings } from '../support/leaks'
import { describeWith } from '../support/require'
import { rounds } from '../support/scale'

describeWith(['root', 'cgroups', 'gcc'], 'launch, many times', () => {
  let bench: Bench

  beforeEach(() => {
    bench = new Bench()
  })

  afterEach(() => bench.clear())

  test(
    'leaves no descriptor, thread, zombie or memory behind',
    async () => {
      const sandbox = await bench.sandbox()
      const launch = async (round: number) => {
        // Some fail, some end by themselves, some are killed; their output is mostly left unread.
        if (round % 5 === 0) {
          await expect(sandbox.launch('/nowhere/vmm')).rejects.toMatchObject({ code: 'ERR_VMCG_SPAWN' })
          return
        }
        const process = await sandbox.launch('echo', ['something'])
        if (round % 5 === 1) process.kill('SIGKILL')
        await process.exited
      }
      const campaign = async (count: number) => {
        for (let round = 0; round < count; round += 1) await launch(round)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      await campaign(rounds(100, 20))
      const before = holdings()
      await campaign(rounds(1000, 20))
      const after = holdings()
      expect(after.descriptors).toBe(before.descriptors)
      expect(after.children).toBe(before.children)
      expect(after.threads).toBeLessThanOrEqual(before.threads)
      expect(after.jsBytes - before.jsBytes).toBeLessThan(8 * 2 ** 20)
      expect(after.residentBytes - before.residentBytes).toBeLessThan(64 * 2 ** 20)
      expect(threadsIn(sandbox.paths.sandbox)).toEqual([])
    },
    1000 * 1000,
  )

  test('works from a process with a heap of 10 GiB, of which much is in use, and many threads', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vmcg-test-launch-'))
    try {
      const { parent, stateDir } = bench
      const child = runChild('launch-big.ts', [parent, stateDir, buildFirstLook(dir)])
      let text = ''
      for await (const chunk of child.stdout) text += String(chunk)
      expect(JSON.parse(text)).toEqual({ isInside: true, code: 0, isThreaded: true })
    } finally {
      rmSync(dir, { recursive: true })
    }
  })
})
