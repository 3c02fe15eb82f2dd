import { once } from 'node:events'
import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { detectHost } from '../../src/host/detect'
import { CgroupManager } from '../../src/manager'
import { processLimitOf, sharesWeight, weightOf } from '../support/cgroup-limits'
import { runChild } from '../support/child-process'
import { cgroupsOf, IS_PURE_V2, inEvery, MANAGED, ManagerBench } from '../support/manager-bench'
import { operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'

let bench: ManagerBench

beforeEach(() => {
  bench = new ManagerBench()
})
afterEach(() => bench.clear())

const CONTROLLERS = Object.keys(MANAGED)
const everywhere = (isThere: boolean) => Object.fromEntries(CONTROLLERS.map((name) => [name, isThere]))
const whereThere = (path?: string) =>
  Object.fromEntries(CONTROLLERS.map((name) => [name, bench.exists(name, path)]))

// With systemd nothing is there before the first process, nor after the last one.
describeWith(['root', 'cgroups', 'cgroupfs-driver'], 'create', () => {
  test('makes no cgroup; apply makes one in every hierarchy', async () => {
    const manager = await bench.manager()
    expect(whereThere()).toEqual(everywhere(false))
    expect(manager.paths).toEqual({})
    await manager.apply()
    expect(whereThere()).toEqual(everywhere(true))
    expect(Object.values(manager.paths).sort()).toEqual(
      [...new Set(CONTROLLERS.map((name) => bench.directory(name)))].sort(),
    )
  })

  test('refuses resources that are wrong, and leaves nothing behind', async () => {
    await expect(bench.manager({ resources: { cpu: { shares: 1 } } })).rejects.toMatchObject({
      code: 'ERR_VMCG_OUT_OF_RANGE',
    })
    expect(readdirSync(bench.stateDir)).toEqual([])
  })

  test('refuses a cgroup that somebody else has made, and touches nothing', async () => {
    bench.make(bench.parent)
    bench.make(bench.path())
    const child = await bench.child(['sleep', '1000'])
    for (const name of CONTROLLERS) bench.write(name, 'cgroup.procs', child.pid)
    bench.write('pids', 'pids.max', 55)
    const done = await operationsDuring(() =>
      expect(bench.manager({ resources: { pids: { limit: 5 } } })).rejects.toMatchObject({
        code: 'ERR_VMCG_FOREIGN_CGROUP',
        path: expect.stringContaining(bench.path()),
      }),
    )
    expect(done).toEqual([])
    expect(processLimitOf(bench.path())).toBe(55)
    expect(cgroupsOf(child.pid)).toEqual(inEvery(bench.path()))
    expect(readdirSync(bench.stateDir)).toEqual([])
  })
})

describeWith(['root', 'cgroups', 'cgroupfs-driver'], 'destroy', () => {
  test('gives the living back, takes every directory away, and may be called twice', async () => {
    const manager = await bench.manager({ resources: { pids: { limit: 10 } } })
    const child = await bench.child(['sleep', '1000'])
    const origin = cgroupsOf(child.pid)
    await manager.add(child.pid)
    await manager.apply()
    const { moved, removed } = await manager.destroy()
    expect(moved).toEqual([{ tid: child.pid, to: expect.any(Array) }])
    expect(new Set(moved[0]?.to)).toEqual(
      new Set(
        detectHost().hierarchies.flatMap(({ id, version, controllers: [name = ''] }) =>
          (version === 2) === IS_PURE_V2 && name in origin ? [`${id}:${origin[name]}`] : [],
        ),
      ),
    )
    expect(removed).toHaveLength(new Set(Object.values(MANAGED)).size)
    expect(cgroupsOf(child.pid)).toEqual(origin)
    expect(whereThere()).toEqual(everywhere(false))
    expect(whereThere(bench.parent)).toEqual(everywhere(true))
    expect(await manager.destroy()).toMatchObject({ moved: [], removed: [] })
    expect(readdirSync(bench.stateDir)).toEqual([])
    await expect(manager.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_DESTROYED' })
    await expect(manager.add(child.pid)).rejects.toMatchObject({ code: 'ERR_VMCG_DESTROYED' })
  })

  test.each([
    ['some', ['cpu', 'memory']],
    ['all', CONTROLLERS],
  ])('goes through where %s of the directories have vanished underneath', async (_, vanished) => {
    const manager = await bench.manager()
    await manager.apply({ pids: { limit: 10 } })
    for (const directory of new Set(vanished.map((name) => bench.directory(name)))) rmdirSync(directory)
    await manager.destroy()
    await manager.destroy()
    expect(whereThere()).toEqual(everywhere(false))
    expect(readdirSync(bench.stateDir)).toEqual([])
  })

  test('leaves alone what somebody else has made in the place of a directory that vanished', async () => {
    const manager = await bench.manager()
    await manager.apply({})
    const directory = bench.directory('pids')
    rmdirSync(directory)
    bench.make(bench.path(), ['pids'])
    const child = await bench.child(['sleep', '1000'])
    bench.write('pids', 'cgroup.procs', child.pid)
    await expect(manager.destroy()).rejects.toMatchObject({
      code: 'ERR_VMCG_FOREIGN_CGROUP',
      path: directory,
    })
    expect(cgroupsOf(child.pid)['pids']).toBe(bench.path())
    bench.write('pids', 'cgroup.procs', child.pid, '/')
    rmdirSync(directory)
    await manager.destroy()
  })
})

describeWith(['root', 'cgroups'], 'destroy, when told so,', () => {
  test('kills the living', async () => {
    const manager = await bench.manager()
    const child = await bench.child(['sleep', '1000'])
    await manager.add(child.pid)
    await manager.destroy({ processes: 'kill' })
    expect(await child.ended).toBe('SIGKILL')
    expect(whereThere()).toEqual(everywhere(false))
  })
})

describeWith(['root', 'cgroups', 'cgroupfs-driver'], 'a directory that vanished underneath', () => {
  test('is made again by apply, with its limits', async () => {
    const manager = await bench.manager({ resources: { pids: { limit: 10 }, cpu: { shares: 200 } } })
    await manager.apply()
    for (const directory of new Set(CONTROLLERS.map((name) => bench.directory(name)))) rmdirSync(directory)
    expect(await manager.pids()).toEqual([])
    await manager.apply()
    expect(processLimitOf(bench.path())).toBe(10)
    expect(weightOf(bench.path())).toBe(sharesWeight(200))
  })

  test('is told by freeze and thaw, and has nobody to kill or move', async () => {
    const manager = await bench.manager()
    await manager.apply()
    for (const directory of new Set(CONTROLLERS.map((name) => bench.directory(name)))) rmdirSync(directory)
    await expect(manager.freeze()).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(manager.thaw()).rejects.toMatchObject({ code: 'ENOENT' })
    await manager.kill()
    expect((await manager.moveToParent()).moved).toEqual([])
    expect(await manager.threads()).toEqual([])
  })
})

describeWith(['root', 'cgroups'], 'close', () => {
  test('leaves the limits and the processes, and every method rejects from then on', async () => {
    const manager = await bench.manager()
    const child = await bench.child(['sleep', '1000'])
    await manager.add(child.pid)
    await manager.apply({ pids: { limit: 33 } })
    const descriptors = readdirSync('/proc/self/fd').length
    await manager.close()
    await manager.close()
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(descriptors)
    const calls: (() => Promise<unknown>)[] = [
      () => manager.add(child.pid),
      () => manager.addThreads([child.pid]),
      () => manager.plan(),
      () => manager.apply(),
      () => manager.pids(),
      () => manager.threads(),
      () => manager.freeze(),
      () => manager.thaw(),
      () => manager.kill(),
      () => manager.addDevice('/dev/null'),
      () => manager.removeDevice('/dev/null'),
      () => manager.setCpuset({ cpus: '0' }),
      () => manager.moveToParent(),
      () => manager.destroy(),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'ERR_VMCG_CLOSED' })
    expect(processLimitOf(bench.path())).toBe(33)
    expect(cgroupsOf(child.pid)).toEqual(inEvery(bench.path()))
    const again = await bench.manager()
    expect(again.config.resources).toEqual({ pids: { limit: 33 } })
    await again.destroy()
  })
})

describeWith(['root', 'cgroups'], 'restore', () => {
  test('takes the cgroup up in another process, with its processes and limits', async () => {
    const manager = await bench.manager()
    const child = await bench.child(['sleep', '1000'])
    const origin = cgroupsOf(child.pid)
    await manager.add(child.pid)
    await manager.apply({ pids: { limit: 33 }, cpu: { shares: 300 } })
    const other = runChild('restore-manager.ts', [JSON.stringify(manager)])
    const texts: string[] = []
    other.stdout.on('data', (data) => texts.push(String(data)))
    const [status] = await once(other, 'close')
    expect(status).toBe(0)
    expect(JSON.parse(texts.join(''))).toEqual({
      path: bench.path(),
      pids: [child.pid],
      resources: { pids: { limit: 33 }, cpu: { shares: 300 } },
      isChanged: false,
    })
    // The other process has lifted one limit and taken the cgroup away.
    expect(cgroupsOf(child.pid)).toEqual(origin)
    expect(whereThere()).toEqual(everywhere(false))
    await expect(manager.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_DESTROYED' })
  })

  test('does not take up what has been destroyed, nor what it was never given', async () => {
    const manager = await bench.begun()
    await manager.apply()
    const json = JSON.stringify(manager)
    await manager.destroy()
    await expect(CgroupManager.restore(json)).rejects.toMatchObject({ code: 'ERR_VMCG_DESTROYED' })
    expect(readdirSync(bench.stateDir)).toEqual([])
    expect(existsSync(bench.directory('cpu'))).toBe(false)
    for (const nonsense of ['', '{', '{}', 'null', '[]', '{"version":2,"path":"/a","stateDir":"/b"}']) {
      await expect(CgroupManager.restore(nonsense)).rejects.toMatchObject({
        code: 'ERR_VMCG_INVALID_ARGUMENT',
      })
    }
    const outside = { version: 1, path: '/../x', stateDir: bench.stateDir } as const
    await expect(CgroupManager.restore(outside)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_VMCG_/),
    })
  })
})
