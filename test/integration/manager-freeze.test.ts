import { rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { cpusOf, processLimitOf } from '../support/cgroup-limits'
import { MANAGED, ManagerBench } from '../support/manager-bench'
import { describeWith } from '../support/require'
import { hasLeftCpu, ticksOf, waitFor } from '../support/residents'

let bench: ManagerBench

beforeEach(() => {
  bench = new ManagerBench()
})
afterEach(() => bench.clear())

describeWith(['root', 'cgroups', 'freezer'], 'freeze', () => {
  test('stops what runs until thaw, and both may be called twice', async () => {
    const manager = await bench.manager()
    const spinner = await bench.child(['sh', '-c', 'while :; do :; done'])
    await manager.add(spinner.pid)
    await manager.freeze()
    await manager.freeze()
    expect(bench.isFrozen()).toBe(true)
    await waitFor('the process to leave the CPU', () => hasLeftCpu(spinner.pid))
    const ticks = ticksOf(spinner.pid)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(ticksOf(spinner.pid)).toBe(ticks)
    await manager.thaw()
    await manager.thaw()
    expect(bench.isFrozen()).toBe(false)
    await waitFor('the process runs again', () => ticksOf(spinner.pid) > ticks)
  })

  test('leaves every other method working: limits, ids, and moving out', async () => {
    const manager = await bench.manager()
    const child = await bench.child(['sleep', '1000'])
    await manager.add(child.pid)
    await manager.freeze()
    await manager.apply({ pids: { limit: 9 }, cpu: { cpus: '0' } })
    expect(processLimitOf(bench.path())).toBe(9)
    expect(cpusOf(bench.path())).toBe('0')
    expect(await manager.pids()).toEqual([child.pid])
    expect(bench.isFrozen()).toBe(true)
    await manager.thaw()
  })
})

const WITHOUT_SYSTEMD = ['root', 'cgroups', 'cgroupfs-driver', 'freezer'] as const

describeWith(WITHOUT_SYSTEMD, 'where there is nothing to freeze, the error', () => {
  test.each(['freeze', 'thaw'] as const)(
    'says of %s that the cgroup was not made yet, and how it is',
    async (act) => {
      const manager = await bench.manager()
      await expect(manager[act]()).rejects.toMatchObject({
        code: 'ENOENT',
        path: bench.directory('freezer'),
        message: expect.stringContaining('has not been made yet'),
        hint: expect.stringContaining('apply()'),
      })
    },
  )

  test('names the cgroup that somebody else has made in its place', async () => {
    const manager = await bench.manager()
    await manager.apply()
    rmdirSync(bench.directory('freezer'))
    bench.make(bench.path(), ['freezer'])
    const child = await bench.child(['sleep', '1000'])
    bench.write('freezer', 'cgroup.procs', child.pid)
    await expect(manager.freeze()).rejects.toMatchObject({
      code: 'ERR_VMCG_FOREIGN_CGROUP',
      path: bench.directory('freezer'),
    })
    expect(bench.isFrozen()).toBe(false)
  })
})

describeWith(
  ['root', 'cgroup-v1', 'cgroupfs-driver', 'freezer-v1'],
  'where the freezer is a hierarchy of its own, the error',
  () => {
    test('says that the freezer was not taken over, and leaves alone what somebody has there', async () => {
      bench.make(bench.parent)
      bench.make(`${bench.parent}/by-hand`)
      const paths = { cpu: bench.directory('cpu', `${bench.parent}/by-hand`) }
      const manager = await bench.manager({ cgroupsPath: undefined, paths })
      await expect(manager.freeze()).rejects.toMatchObject({
        code: 'ERR_VMCG_NO_CONTROLLER',
        message: expect.stringContaining('freezer is not one of the cgroups that were taken over'),
      })
      expect(bench.isFrozen(`${bench.parent}/by-hand`)).toBe(false)
    })
  },
)

// It looks into the cgroup when nobody is left.
describeWith([...WITHOUT_SYSTEMD, 'python'], 'kill', () => {
  test.each([true, false])(
    'ends everybody, also those that keep forking; frozen before: %p',
    async (isFrozen) => {
      const manager = await bench.manager()
      const script = join(__dirname, '..', 'support', 'freezer-resident.py')
      await manager.apply({})
      const enter = Object.keys(MANAGED).map((name) => `echo 0 > ${bench.directory(name)}/cgroup.procs`)
      const parent = await bench.child(['sh', '-c', `${enter.join('; ')}; exec python3 ${script} fork 8`])
      await waitFor('there are children', () => bench.pids('pids').length > 3)
      if (isFrozen) await manager.freeze()
      await manager.kill()
      expect(await manager.pids()).toEqual([])
      for (const controller of Object.keys(MANAGED)) {
        expect([controller, bench.tids(controller)]).toEqual([controller, []])
      }
      expect(await parent.ended).toBe('SIGKILL')
      expect(bench.isFrozen()).toBe(false)
      await manager.kill()
    },
  )
})

describeWith(['root', 'cgroups', 'freezer'], 'kill, when told so,', () => {
  test('sends another signal once, and waits for nothing', async () => {
    const manager = await bench.manager()
    const child = await bench.child(['sleep', '1000'])
    await manager.add(child.pid)
    await manager.kill({ killSignal: 'SIGTERM' })
    expect(await child.ended).toBe('SIGTERM')
  })
})
