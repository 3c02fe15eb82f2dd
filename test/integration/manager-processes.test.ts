import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, threadsOf } from '../support/cgroup-v1'
import { cgroupsOf, inEvery, ManagerBench, V1_MOUNTS } from '../support/manager-bench'
import { onOperation, operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'
import { ticksOf, waitFor } from '../support/residents'
import { waitUntilGone } from '../support/stand-in'

let bench: ManagerBench

beforeEach(() => {
  bench = new ManagerBench()
})
afterEach(() => bench.clear())

const GRANULAR = ['cpu', 'cpuacct', 'cpuset']
/** Above pid_max: nobody has this id. */
const NO_PROCESS = 2 ** 22 + 1

const tidsOf = (pid: number) => threadsOf(pid).map(({ tid }) => tid)

describeWith(['root', 'cgroup-v1', 'python'], 'a process that is added', () => {
  test('comes in with all of its threads, in every hierarchy, by one write each', async () => {
    const manager = await bench.manager()
    const { pid, start } = await bench.standIn()
    await start(3)
    const done = await operationsDuring(() => manager.add(pid))
    for (const tid of tidsOf(pid)) expect(cgroupsOf(tid)).toEqual(inEvery(bench.path()))
    const hierarchies = new Set(Object.values(V1_MOUNTS)).size
    expect(done.filter(({ operation }) => operation.kind === 'move-process')).toHaveLength(hierarchies)
    expect(await operationsDuring(() => manager.add(pid))).toEqual([])
    expect(await manager.pids()).toEqual([pid])
    expect(await manager.threads()).toEqual(tidsOf(pid).sort((a, b) => a - b))
  })

  test('stays by itself with the limits as they were: those of the last apply', async () => {
    const manager = await bench.manager({ resources: { pids: { limit: 50 } } })
    const [first, second] = [await bench.standIn(), await bench.standIn()]
    await manager.add(first.pid)
    expect(bench.read('pids', 'pids.max')).toBe('max')
    await manager.apply()
    bench.write('pids', 'pids.max', 60)
    await manager.add(second.pid)
    expect(bench.read('pids', 'pids.max')).toBe('50')
    expect(await manager.pids()).toEqual([first.pid, second.pid].sort((a, b) => a - b))
  })

  test('must be there', async () => {
    const manager = await bench.manager()
    await expect(manager.add(NO_PROCESS)).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
    await expect(manager.addThreads([NO_PROCESS])).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
    expect(bench.exists('cpu')).toBe(false)
  })

  test.each([0, -1, 1.5, Number.NaN])('must have an id, which %p is not', async (id) => {
    const manager = await bench.manager()
    await expect(manager.add(id)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_VMCG_/) })
    await expect(manager.addThreads([id])).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_VMCG_/),
    })
    expect(cgroupsOf(process.pid)['cpu']).not.toBe(bench.path())
    expect(bench.exists('cpu')).toBe(false)
  })
})

describeWith(['root', 'cgroup-v1', 'python'], 'threads that are added', () => {
  test('come in alone, where a hierarchy holds single threads, and the rest of their process stays', async () => {
    const manager = await bench.manager()
    const { pid, start } = await bench.standIn()
    const [one = 0, two = 0, three = 0] = await start(3)
    const before = cgroupsOf(pid)
    await manager.addThreads([one, two])
    for (const tid of [one, two]) {
      const places = cgroupsOf(tid)
      for (const controller of Object.keys(V1_MOUNTS)) {
        const isGranular = GRANULAR.includes(controller)
        expect([controller, places[controller]]).toEqual([
          controller,
          isGranular ? bench.path() : before[controller],
        ])
      }
    }
    for (const tid of [pid, three]) expect(cgroupsOf(tid)).toEqual(before)
    expect(await manager.threads()).toEqual([one, two].sort((a, b) => a - b))
    expect(bench.ids('cpu', 'tasks')).toEqual(await manager.threads())
  })

  test('do not fail for one that has ended since', async () => {
    const manager = await bench.manager()
    const { start, end } = await bench.standIn()
    const [one = 0, two = 0] = await start(2)
    await manager.addThreads([one, two])
    end(one)
    waitUntilGone(one)
    await manager.apply({ cpu: { shares: 512 } })
    expect(await manager.threads()).toEqual([two])
  })
})

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

describeWith(['root', 'cgroup-v1', 'python'], 'moveToParent', () => {
  test('gives the living back, skips the dead, and leaves the cgroup with its limits', async () => {
    const manager = await bench.manager()
    const crowd = [await bench.standIn(), await bench.standIn(), await bench.standIn()]
    const origins = crowd.map(({ pid }) => cgroupsOf(pid))
    for (const { pid, start } of crowd) {
      await start(2)
      await manager.add(pid)
    }
    await manager.apply({ pids: { limit: 100 } })
    const [live, dead, other] = crowd
    await dead?.kill()
    const report = await manager.moveToParent()
    expect(cgroupsOf(live?.pid ?? 0)).toEqual(origins[0])
    expect(cgroupsOf(other?.pid ?? 0)).toEqual(origins[2])
    expect(isAlive(dead?.pid ?? 0)).toBe(false)
    expect(report.moved.map(({ tid }) => tid)).not.toContain(dead?.pid)
    expect(report.removed).toEqual([])
    for (const controller of Object.keys(V1_MOUNTS)) expect(bench.ids(controller, 'tasks')).toEqual([])
    expect(bench.read('pids', 'pids.max')).toBe('100')
    expect(await operationsDuring(() => manager.apply())).toEqual([])
    expect(await manager.pids()).toEqual([])
  })

  test('goes on when one dies in its middle, and finds what is born meanwhile', async () => {
    const manager = await bench.manager()
    const crowd = [await bench.standIn(), await bench.standIn(), await bench.standIn()]
    for (const { pid, start } of crowd) {
      await start(4)
      await manager.add(pid)
    }
    await crowd[2]?.churn(2)
    const dying = crowd[1]
    let isKilled = false
    await onOperation(
      () => {
        if (isKilled || dying === undefined) return
        isKilled = true
        process.kill(dying.pid, 'SIGKILL')
      },
      () => manager.moveToParent(),
    )
    for (const controller of Object.keys(V1_MOUNTS)) {
      expect([controller, bench.ids(controller, 'tasks')]).toEqual([controller, []])
    }
    expect(cgroupsOf(crowd[0]?.pid ?? 0)['cpu']).toBe(cgroupsOf(process.pid)['cpu'])
  })

  test('gives those to the parent of whom nobody knows where they were', async () => {
    const manager = await bench.manager()
    await manager.apply({})
    const child = await bench.child(['sleep', '1000'])
    for (const controller of Object.keys(V1_MOUNTS)) bench.write(controller, 'cgroup.procs', child.pid)
    await manager.moveToParent()
    expect(cgroupsOf(child.pid)).toEqual(inEvery(bench.parent))
  })
})

describeWith(['root', 'cgroup-v1', 'python'], 'setCpuset', () => {
  const cpus = () => bench.read('cpuset', 'cpuset.cpus')
  const above = () => bench.read('cpuset', 'cpuset.cpus', bench.parent)

  test('narrows, widens, and follows the parent again', async () => {
    const manager = await bench.manager()
    const { pid } = await bench.standIn()
    await manager.add(pid)
    const all = above()
    const [first = '0'] = all.split(/[-,]/)
    expect(cpus()).toBe(all)
    await manager.setCpuset({ cpus: first })
    expect(cpus()).toBe(first)
    await manager.setCpuset({ cpus: all })
    expect(cpus()).toBe(all)
    await manager.setCpuset({ cpus: first, mems: '0' })
    expect(bench.read('cpuset', 'cpuset.mems')).toBe('0')
    await manager.setCpuset({ cpus: '' })
    expect(cpus()).toBe(all)
    expect(cgroupsOf(pid)['cpuset']).toBe(bench.path())
  })

  test('changes nothing else, and is kept by the next apply', async () => {
    const manager = await bench.manager()
    await manager.apply({ pids: { limit: 40 }, cpu: { shares: 300 } })
    await manager.setCpuset({ cpus: '0' })
    expect(bench.read('pids', 'pids.max')).toBe('40')
    expect(bench.read('cpu', 'cpu.shares')).toBe('300')
    expect(manager.config.resources).toEqual({ pids: { limit: 40 }, cpu: { shares: 300, cpus: '0' } })
    expect(await operationsDuring(() => manager.apply())).toEqual([])
  })

  test('takes its turn: it does not undo a call before it that nobody has waited for', async () => {
    const manager = await bench.manager()
    const other = await bench.manager()
    await Promise.all([manager.apply({ pids: { limit: 40 } }), manager.setCpuset({ cpus: '0' })])
    expect([cpus(), bench.read('pids', 'pids.max')]).toEqual(['0', '40'])
    await other.setCpuset({ cpus: '' })
    expect([cpus(), bench.read('pids', 'pids.max')]).toEqual([above(), '40'])
  })

  test('refuses what the parent does not have, and malformed lists, before anything is written', async () => {
    const manager = await bench.manager()
    await manager.apply({ cpu: { cpus: '0' } })
    const done = await operationsDuring(async () => {
      await expect(manager.setCpuset({ cpus: '0-4095' })).rejects.toMatchObject({
        code: 'ERR_VMCG_OUT_OF_RANGE',
        message: expect.stringContaining(`has only ${above()}`),
      })
      await expect(manager.setCpuset({ mems: '63' })).rejects.toMatchObject({ code: 'ERR_VMCG_OUT_OF_RANGE' })
      for (const list of ['1-0', '0-1-2', ' 0', '0-4294967295', 'x']) {
        await expect(manager.setCpuset({ cpus: list })).rejects.toMatchObject({
          code: expect.stringMatching(/^ERR_VMCG_(INVALID_ARGUMENT|INVALID_SPEC|OUT_OF_RANGE)$/),
        })
      }
    })
    expect(done).toEqual([])
    expect(cpus()).toBe('0')
    expect(manager.config.resources.cpu).toEqual({ cpus: '0' })
  })
})

describeWith(['root', 'cgroup-v1', 'chrt'], 'a real-time process', () => {
  const canRealtime = existsSync(join(V1_MOUNTS['cpu'] ?? '', 'cpu.rt_runtime_us'))
  const testWithBandwidth = canRealtime ? test : test.skip

  async function realtimeChild(): Promise<number> {
    const { pid } = await bench.child(['sleep', '1000'])
    execFileSync('chrt', ['--fifo', '--pid', '1', String(pid)])
    return pid
  }

  testWithBandwidth('that the kernel refuses is where it was, and later calls work', async () => {
    const manager = await bench.manager()
    const [realtime, other] = [await realtimeChild(), await bench.child(['sleep', '1000'])]
    const before = cgroupsOf(realtime)
    await expect(manager.add(realtime)).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining('cpu.rt_runtime_us is 0'),
    })
    expect(cgroupsOf(realtime)).toEqual(before)
    await manager.add(other.pid)
    await manager.apply({ pids: { limit: 50 } })
    expect(await manager.pids()).toEqual([other.pid])
  })

  testWithBandwidth('joins a cgroup that has bandwidth', async () => {
    bench.make(bench.parent)
    bench.write('cpu', 'cpu.rt_runtime_us', 10_000, bench.parent)
    const manager = await bench.manager()
    const realtime = await realtimeChild()
    await manager.apply({ cpu: { realtimeRuntime: 5_000 } })
    await manager.add(realtime)
    expect(cgroupsOf(realtime)).toEqual(inEvery(bench.path()))
    await manager.moveToParent()
  })
})
