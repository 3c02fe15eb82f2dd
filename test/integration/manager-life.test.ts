import { once } from 'node:events'
import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { CgroupManager } from '../../src/manager'
import type { CgroupManagerConfig } from '../../src/manager-options'
import { Sandbox } from '../../src/sandbox'
import { runChild } from '../support/child-process'
import { cgroupsOf, inEvery, ManagerBench, V1_MOUNTS } from '../support/manager-bench'
import { operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'

let bench: ManagerBench

beforeEach(() => {
  bench = new ManagerBench()
})
afterEach(() => bench.clear())

const CONTROLLERS = Object.keys(V1_MOUNTS)
const everywhere = (isThere: boolean) => Object.fromEntries(CONTROLLERS.map((name) => [name, isThere]))
const whereThere = (path?: string) =>
  Object.fromEntries(CONTROLLERS.map((name) => [name, bench.exists(name, path)]))

describeWith(['root', 'cgroup-v1'], 'the path of a manager', () => {
  const pathOf = async (config: CgroupManagerConfig) => {
    const manager = await CgroupManager.create({ stateDir: bench.stateDir, ...config })
    await manager.close()
    return manager.config.path
  }

  test('is where cgroupsPath says: absolute, or below /vc; with the prefix, once', async () => {
    expect(await pathOf({ cgroupsPath: '/pods/vm' })).toBe('/pods/kata_vm')
    expect(await pathOf({ cgroupsPath: '/pods/kata_vm' })).toBe('/pods/kata_vm')
    expect(await pathOf({ cgroupsPath: 'pods//x/../vm' })).toBe('/vc/pods/kata_vm')
    expect(await pathOf({ id: 'vm' })).toBe('/vc/kata_vm')
    expect(await pathOf({ cgroupsPath: '', id: 'vm' })).toBe('/vc/kata_vm')
  })

  test.each([{}, { cgroupsPath: '' }, { id: '' }, { paths: {} }])(
    'must be given, by a path or an id: %j would share a cgroup with every other such manager',
    async (config) => {
      await expect(pathOf(config)).rejects.toMatchObject({
        code: 'ERR_VMCG_INVALID_PATH',
        message: expect.stringMatching(/\bid\b/),
        hint: expect.stringMatching(/\bid\b/),
      })
      expect(readdirSync(bench.stateDir)).toEqual([])
    },
  )

  test.each(['/', '..', '/../x', 'a\0b', '/tasks/x'])('is none of a cgroup: %j', async (cgroupsPath) => {
    await expect(pathOf({ cgroupsPath })).rejects.toMatchObject({ code: 'ERR_VMCG_INVALID_PATH' })
  })

  test('is not for systemd to make yet, and the error says what to use', async () => {
    await expect(pathOf({ cgroupsPath: 'system.slice:kata:vm' })).rejects.toMatchObject({
      code: 'ERR_VMCG_UNSUPPORTED',
      value: 'system.slice:kata:vm',
      hint: expect.stringContaining('cgroupfs'),
    })
  })

  test('is not that of a sandbox, of which the error tells', async () => {
    const { parent } = bench
    const sandbox = await Sandbox.create({ id: 'kata_one', parent, stateDir: bench.stateDir })
    await expect(bench.manager()).rejects.toMatchObject({
      code: 'ERR_VMCG_STATE',
      message: expect.stringContaining('Sandbox'),
      path: bench.path(),
    })
    await sandbox.destroy()
    await sandbox.close()
    await bench.manager()
    await expect(Sandbox.create({ id: 'kata_one', parent, stateDir: bench.stateDir })).rejects.toMatchObject({
      code: 'ERR_VMCG_STATE',
      message: expect.stringContaining('CgroupManager'),
    })
  })
})

describeWith(['root', 'cgroup-v1'], 'create', () => {
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
    expect(bench.read('pids', 'pids.max')).toBe('55')
    expect(cgroupsOf(child.pid)).toEqual(inEvery(bench.path()))
    expect(readdirSync(bench.stateDir)).toEqual([])
  })
})

describeWith(['root', 'cgroup-v1'], 'cgroups that exist', () => {
  const OVER = ['cpu', 'cpuset', 'memory', 'pids']
  const path = () => `${bench.parent}/by-hand`
  const pathsOf = (controllers: readonly string[]) =>
    Object.fromEntries(controllers.map((name) => [name, bench.directory(name, path())]))

  beforeEach(() => {
    bench.make(bench.parent)
    bench.make(path(), OVER)
  })

  test('are taken over with who is inside, limited, and destroyed', async () => {
    const child = await bench.child(['sleep', '1000'])
    for (const name of OVER) bench.write(name, 'cgroup.procs', child.pid, path())
    bench.write('cpu', 'cpu.shares', 700, path())
    const manager = await bench.manager({ cgroupsPath: undefined, paths: pathsOf(OVER) })
    expect(await manager.pids()).toEqual([child.pid])
    await manager.apply({ pids: { limit: 30 }, memory: { limit: 2 ** 28 } })
    expect(bench.read('pids', 'pids.max', path())).toBe('30')
    expect(bench.read('memory', 'memory.limit_in_bytes', path())).toBe(String(2 ** 28))
    expect(bench.read('cpu', 'cpu.shares', path())).toBe('700')
    for (const name of CONTROLLERS)
      expect([name, bench.exists(name, path())]).toEqual([name, OVER.includes(name)])
    expect(await manager.pids()).toEqual([child.pid])

    const again = await CgroupManager.restore(JSON.parse(JSON.stringify(manager)))
    expect(await again.pids()).toEqual([child.pid])
    await again.close()
    await manager.destroy()
    for (const name of OVER) expect(bench.exists(name, path())).toBe(false)
    for (const name of OVER) expect(cgroupsOf(child.pid)[name]).toBe(bench.parent)
  })

  test('are only those that are named: a limit of another controller is refused, and the error says why', async () => {
    const manager = await bench.manager({ cgroupsPath: undefined, paths: pathsOf(['cpu', 'memory']) })
    const done = await operationsDuring(() =>
      expect(manager.apply({ cpu: { shares: 100 }, pids: { limit: 5 } })).rejects.toMatchObject({
        code: 'ERR_VMCG_NO_CONTROLLER',
        message: expect.stringContaining('pids is not one of the cgroups that were taken over'),
      }),
    )
    bench.make(`${bench.parent}/memory-only`, ['memory'])
    const paths = { memory: bench.directory('memory', `${bench.parent}/memory-only`) }
    const withoutCpu = await bench.manager({ cgroupsPath: undefined, paths })
    await expect(withoutCpu.plan({ cpu: { shares: 100 } })).rejects.toMatchObject({
      message: expect.stringContaining('cpu is not one of'),
    })
    expect(done).toEqual([])
  })

  test('must be in one place, below their mount points, of controllers that are mounted', async () => {
    bench.make(`${bench.parent}/elsewhere`, ['memory'])
    const refused: [Record<string, string>, string][] = [
      [
        { ...pathsOf(['cpu']), memory: bench.directory('memory', `${bench.parent}/elsewhere`) },
        'ERR_VMCG_INVALID_PATH',
      ],
      [{ cpu: '/tmp' }, 'ERR_VMCG_INVALID_PATH'],
      [{ cpu: V1_MOUNTS['cpu'] ?? '' }, 'ERR_VMCG_INVALID_PATH'],
      [{ cpu: `${V1_MOUNTS['cpu']}/` }, 'ERR_VMCG_INVALID_PATH'],
      [{ cpu: `${bench.directory('cpu', path())}/../..` }, 'ERR_VMCG_INVALID_PATH'],
      [{ nonsense: bench.directory('cpu', path()) }, 'ERR_VMCG_NO_CONTROLLER'],
    ]
    for (const [paths, code] of refused) {
      const done = await operationsDuring(() =>
        expect(bench.manager({ cgroupsPath: undefined, paths })).rejects.toMatchObject({ code }),
      )
      expect(done).toEqual([])
    }
    expect(readdirSync(bench.stateDir)).toEqual([])
  })

  test('are not taken over by a path alone', async () => {
    await expect(
      CgroupManager.create({ cgroupsPath: `${bench.parent}/kata_x`, stateDir: bench.stateDir }).then(
        async (manager) => {
          bench.make(bench.path('x'), OVER)
          await manager.apply().finally(() => manager.close())
        },
      ),
    ).rejects.toMatchObject({ code: 'ERR_VMCG_FOREIGN_CGROUP' })
    for (const name of CONTROLLERS) {
      expect([name, bench.exists(name, bench.path('x'))]).toEqual([name, OVER.includes(name)])
    }
  })
})

describeWith(['root', 'cgroup-v1'], 'destroy', () => {
  test('gives the living back, takes every directory away, and may be called twice', async () => {
    const manager = await bench.manager({ resources: { pids: { limit: 10 } } })
    const child = await bench.child(['sleep', '1000'])
    const origin = cgroupsOf(child.pid)
    await manager.add(child.pid)
    await manager.apply()
    const { moved, removed } = await manager.destroy()
    expect(moved.map(({ tid }) => tid)).toEqual([child.pid])
    expect(removed).toHaveLength(new Set(Object.values(V1_MOUNTS)).size)
    expect(cgroupsOf(child.pid)).toEqual(origin)
    expect(whereThere()).toEqual(everywhere(false))
    expect(whereThere(bench.parent)).toEqual(everywhere(true))
    expect(await manager.destroy()).toMatchObject({ moved: [], removed: [] })
    expect(readdirSync(bench.stateDir)).toEqual([])
    await expect(manager.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_DESTROYED' })
    await expect(manager.add(child.pid)).rejects.toMatchObject({ code: 'ERR_VMCG_DESTROYED' })
  })

  test('kills the living when told so', async () => {
    const manager = await bench.manager()
    const child = await bench.child(['sleep', '1000'])
    await manager.add(child.pid)
    await manager.destroy({ processes: 'kill' })
    expect(await child.ended).toBe('SIGKILL')
    expect(whereThere()).toEqual(everywhere(false))
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

describeWith(['root', 'cgroup-v1'], 'a directory that vanished underneath', () => {
  test('is made again by apply, with its limits', async () => {
    const manager = await bench.manager({ resources: { pids: { limit: 10 }, cpu: { shares: 200 } } })
    await manager.apply()
    for (const directory of new Set(CONTROLLERS.map((name) => bench.directory(name)))) rmdirSync(directory)
    expect(await manager.pids()).toEqual([])
    await manager.apply()
    expect(bench.read('pids', 'pids.max')).toBe('10')
    expect(bench.read('cpu', 'cpu.shares')).toBe('200')
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

describeWith(['root', 'cgroup-v1'], 'close', () => {
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
    expect(bench.read('pids', 'pids.max')).toBe('33')
    expect(cgroupsOf(child.pid)).toEqual(inEvery(bench.path()))
    const again = await bench.manager()
    expect(again.config.resources).toEqual({ pids: { limit: 33 } })
    await again.destroy()
  })
})

describeWith(['root', 'cgroup-v1'], 'restore', () => {
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
    const manager = await bench.manager()
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
