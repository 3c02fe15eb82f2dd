import { readdirSync, rmdirSync } from 'node:fs'
import { CgroupManager } from '../../src/manager'
import type { CgroupManagerConfig } from '../../src/manager-options'
import { Sandbox } from '../../src/sandbox'
import { cgroupsOf, ManagerBench, V1_MOUNTS } from '../support/manager-bench'
import { operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'

let bench: ManagerBench

beforeEach(() => {
  bench = new ManagerBench()
})
afterEach(() => bench.clear())

const CONTROLLERS = Object.keys(V1_MOUNTS)

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

  test('is another one for each id, always below /vc', async () => {
    expect(await pathOf({ id: 'kata_vm' })).toBe('/vc/kata_kata_vm')
    for (const id of ['/vm', 'pods/vm', '..', 'system.slice:kata:vm'])
      await expect(pathOf({ id })).rejects.toMatchObject({ code: 'ERR_VMCG_INVALID_ID', value: id })
  })

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
      [{ cpu: 5 as never }, 'ERR_VMCG_INVALID_PATH'],
    ]
    for (const [paths, code] of refused) {
      const done = await operationsDuring(() =>
        expect(bench.manager({ cgroupsPath: undefined, paths })).rejects.toMatchObject({ code }),
      )
      expect(done).toEqual([])
    }
    expect(readdirSync(bench.stateDir)).toEqual([])
  })

  test('must exist: one that is missing is named before anything is written', async () => {
    const missing = bench.directory('blkio', path())
    const done = await operationsDuring(() =>
      expect(
        bench.manager({ cgroupsPath: undefined, paths: pathsOf(['cpu', 'blkio']) }),
      ).rejects.toMatchObject({
        code: 'ENOENT',
        path: missing,
        message: expect.stringContaining(`paths.blkio: there is no cgroup ${missing}`),
      }),
    )
    expect(done).toEqual([])
    expect(readdirSync(bench.stateDir)).toEqual([])
  })

  test('are taken over beside those before, when more of them are named later', async () => {
    const child = await bench.child(['sleep', '1000'])
    const first = await bench.manager({ cgroupsPath: undefined, paths: pathsOf(['cpu']) })
    await first.add(child.pid)
    await first.apply({ cpu: { shares: 700 } })
    await bench.manager({ cgroupsPath: undefined, paths: pathsOf(['memory', 'pids']) })
    await first.apply({ cpu: { shares: 700 }, pids: { limit: 30 } })
    expect(bench.read('pids', 'pids.max', path())).toBe('30')
    for (const name of ['cpu', 'memory', 'pids']) expect(cgroupsOf(child.pid)[name]).toBe(path())
    await first.destroy()
    for (const name of OVER) expect([name, bench.exists(name, path())]).toEqual([name, name === 'cpuset'])
  })

  test('are taken over also where a manager of that path was made before, and has made nothing', async () => {
    bench.make(bench.path())
    for (const name of CONTROLLERS) rmdirSync(bench.directory(name))
    await bench.manager()
    bench.make(bench.path(), ['pids'])
    const paths = { pids: bench.directory('pids') }
    const manager = await bench.manager({ cgroupsPath: undefined, paths })
    await manager.apply({ pids: { limit: 31 } })
    expect(bench.read('pids', 'pids.max')).toBe('31')
    expect(Object.values(manager.paths)).toEqual([bench.directory('pids')])
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
