import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { processLimitOf } from '../support/cgroup-limits'
import { isAlive, threadsOf } from '../support/cgroups'
import { cgroupsOf, inEvery, MANAGED, ManagerBench } from '../support/manager-bench'
import { onOperation, operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'
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

describeWith(['root', 'cgroups', 'python'], 'a process that is added', () => {
  test('comes in with all of its threads, in every hierarchy, by one write each', async () => {
    const manager = await bench.manager()
    const { pid, start } = await bench.standIn()
    await start(3)
    const done = await operationsDuring(() => manager.add(pid))
    for (const tid of tidsOf(pid)) expect(cgroupsOf(tid)).toEqual(inEvery(bench.path()))
    const hierarchies = new Set(Object.values(MANAGED)).size
    expect(done.filter(({ operation }) => operation.kind === 'move-process')).toHaveLength(hierarchies)
    expect(await operationsDuring(() => manager.add(pid))).toEqual([])
    expect(await manager.pids()).toEqual([pid])
    expect(await manager.threads()).toEqual(tidsOf(pid).sort((a, b) => a - b))
  })

  test('stays by itself with the limits as they were: those of the last apply', async () => {
    const manager = await bench.manager({ resources: { pids: { limit: 50 } } })
    const [first, second] = [await bench.standIn(), await bench.standIn()]
    await manager.add(first.pid)
    expect(processLimitOf(bench.path())).toBe(null)
    await manager.apply()
    bench.write('pids', 'pids.max', 60)
    await manager.add(second.pid)
    expect(processLimitOf(bench.path())).toBe(50)
    expect(await manager.pids()).toEqual([first.pid, second.pid].sort((a, b) => a - b))
  })

  test('must be there', async () => {
    const manager = await bench.manager()
    await expect(manager.add(NO_PROCESS)).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
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

// A scope of systemd begins with a whole process.
describeWith(['root', 'cgroup-v1', 'cgroupfs-driver', 'python'], 'threads that are added', () => {
  test('come in alone, where a hierarchy holds single threads, and the rest of their process stays', async () => {
    const manager = await bench.manager()
    const { pid, start } = await bench.standIn()
    const [one = 0, two = 0, three = 0] = await start(3)
    const before = cgroupsOf(pid)
    await manager.addThreads([one, two])
    for (const tid of [one, two]) {
      const places = cgroupsOf(tid)
      for (const controller of Object.keys(MANAGED)) {
        const isGranular = GRANULAR.includes(controller)
        expect([controller, places[controller]]).toEqual([
          controller,
          isGranular ? bench.path() : before[controller],
        ])
      }
    }
    for (const tid of [pid, three]) expect(cgroupsOf(tid)).toEqual(before)
    expect(await manager.threads()).toEqual([one, two].sort((a, b) => a - b))
    expect(bench.tids('cpu')).toEqual(await manager.threads())
  })

  test('must be there', async () => {
    const manager = await bench.manager()
    await expect(manager.addThreads([NO_PROCESS])).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
    expect(bench.exists('cpu')).toBe(false)
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

describeWith(['root', 'cgroup-v2', 'python'], 'on cgroup v2, threads that are added', () => {
  test('are refused before anything is written or remembered, and the error says what to do instead', async () => {
    const manager = await bench.manager()
    const { pid, start } = await bench.standIn()
    const tids = await start(2)
    const states = () =>
      readdirSync(bench.stateDir).map((name) => readFileSync(join(bench.stateDir, name), 'utf8'))
    const before = { places: cgroupsOf(pid), states: states() }
    const done = await operationsDuring(() =>
      expect(manager.addThreads(tids)).rejects.toMatchObject({
        code: 'ERR_VMCG_UNSUPPORTED',
        message: expect.stringContaining('keeps the threads of a process together'),
        hint: expect.stringMatching(/add\(pid\).*Sandbox/),
      }),
    )
    expect(done).toEqual([])
    expect(bench.exists('cpu')).toBe(false)
    expect({ places: cgroupsOf(pid), states: states() }).toEqual(before)
    await manager.add(pid)
    expect(await manager.threads()).toEqual(tidsOf(pid).sort((a, b) => a - b))
  })
})

// A scope of systemd ends when everybody has left it.
describeWith(['root', 'cgroups', 'cgroupfs-driver', 'python'], 'moveToParent', () => {
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
    for (const controller of Object.keys(MANAGED)) expect(bench.tids(controller)).toEqual([])
    expect(processLimitOf(bench.path())).toBe(100)
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
    for (const controller of Object.keys(MANAGED)) {
      expect([controller, bench.tids(controller)]).toEqual([controller, []])
    }
    expect(cgroupsOf(crowd[0]?.pid ?? 0)['cpu']).toBe(cgroupsOf(process.pid)['cpu'])
  })

  test('gives those to the parent of whom nobody knows where they were', async () => {
    const manager = await bench.manager()
    await manager.apply({})
    const child = await bench.child(['sleep', '1000'])
    for (const controller of Object.keys(MANAGED)) bench.write(controller, 'cgroup.procs', child.pid)
    await manager.moveToParent()
    expect(cgroupsOf(child.pid)).toEqual(inEvery(bench.parent))
  })
})

describeWith(
  ['root', 'cgroup-v2', 'cgroupfs-driver'],
  'on cgroup v2, a process of which nobody knows where it was',
  () => {
    test('has nowhere to go where the parent hands controllers down: it stays, and is named', async () => {
      const manager = await bench.manager()
      await manager.apply({ pids: { limit: 50 } })
      const child = await bench.child(['sleep', '1000'])
      bench.write('pids', 'cgroup.procs', child.pid)
      const refusal = {
        code: 'ERR_VMCG_BUSY',
        value: String(child.pid),
        message: expect.stringContaining('nowhere to go'),
        hint: expect.stringContaining("destroy({ processes: 'kill' })"),
      }
      await expect(manager.moveToParent()).rejects.toMatchObject(refusal)
      await expect(manager.destroy()).rejects.toMatchObject(refusal)
      expect(cgroupsOf(child.pid)).toEqual(inEvery(bench.path()))
      await manager.destroy({ processes: 'kill' })
      expect(await child.ended).toBe('SIGKILL')
      expect(bench.exists('pids')).toBe(false)
    })
  },
)

describeWith(['root', 'cgroup-v1', 'chrt', 'rt-group-sched'], 'a real-time process', () => {
  async function realtimeChild(): Promise<number> {
    const { pid } = await bench.child(['sleep', '1000'])
    execFileSync('chrt', ['--fifo', '--pid', '1', String(pid)])
    return pid
  }

  test('that the kernel refuses is where it was, and later calls work', async () => {
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

  test('joins a cgroup that has bandwidth', async () => {
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
