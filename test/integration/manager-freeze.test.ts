import { join } from 'node:path'
import { ManagerBench, V1_MOUNTS } from '../support/manager-bench'
import { describeWith } from '../support/require'
import { ticksOf, waitFor } from '../support/residents'

let bench: ManagerBench

beforeEach(() => {
  bench = new ManagerBench()
})
afterEach(() => bench.clear())

describeWith(['root', 'cgroup-v1', 'freezer-v1'], 'freeze', () => {
  test('stops what runs until thaw, and both may be called twice', async () => {
    const manager = await bench.manager()
    const spinner = await bench.child(['sh', '-c', 'while :; do :; done'])
    await manager.add(spinner.pid)
    await manager.freeze()
    await manager.freeze()
    expect(bench.read('freezer', 'freezer.state')).toBe('FROZEN')
    const ticks = ticksOf(spinner.pid)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(ticksOf(spinner.pid)).toBe(ticks)
    await manager.thaw()
    await manager.thaw()
    expect(bench.read('freezer', 'freezer.state')).toBe('THAWED')
    await waitFor('the process runs again', () => ticksOf(spinner.pid) > ticks)
  })

  test('leaves every other method working: limits, ids, and moving out', async () => {
    const manager = await bench.manager()
    const child = await bench.child(['sleep', '1000'])
    await manager.add(child.pid)
    await manager.freeze()
    await manager.apply({ pids: { limit: 9 }, cpu: { cpus: '0' } })
    expect(bench.read('pids', 'pids.max')).toBe('9')
    expect(await manager.pids()).toEqual([child.pid])
    expect(bench.read('freezer', 'freezer.state')).toBe('FROZEN')
    await manager.thaw()
  })
})

describeWith(['root', 'cgroup-v1', 'freezer-v1', 'python'], 'kill', () => {
  test.each([true, false])(
    'ends everybody, also those that keep forking; frozen before: %p',
    async (isFrozen) => {
      const manager = await bench.manager()
      const script = join(__dirname, '..', 'support', 'freezer-resident.py')
      await manager.apply({})
      const enter = Object.keys(V1_MOUNTS).map((name) => `echo 0 > ${bench.directory(name)}/cgroup.procs`)
      const parent = await bench.child(['sh', '-c', `${enter.join('; ')}; exec python3 ${script} fork 8`])
      await waitFor('there are children', () => bench.ids('pids', 'cgroup.procs').length > 3)
      if (isFrozen) await manager.freeze()
      await manager.kill()
      expect(await manager.pids()).toEqual([])
      for (const controller of Object.keys(V1_MOUNTS)) {
        expect([controller, bench.ids(controller, 'tasks')]).toEqual([controller, []])
      }
      expect(await parent.ended).toBe('SIGKILL')
      expect(bench.read('freezer', 'freezer.state')).toBe('THAWED')
      await manager.kill()
    },
  )

  test('sends another signal once, and waits for nothing', async () => {
    const manager = await bench.manager()
    const child = await bench.child(['sleep', '1000'])
    await manager.add(child.pid)
    await manager.kill({ killSignal: 'SIGTERM' })
    expect(await child.ended).toBe('SIGTERM')
  })
})
