import { readdirSync, rmdirSync } from 'node:fs'
import { CgroupManager } from '../../src/manager'
import type { CgroupManagerConfig } from '../../src/manager-options'
import { Sandbox } from '../../src/sandbox'
import { memoryLimitOf, processLimitOf, setWeight, weightOf } from '../support/cgroup-limits'
import { isAlive } from '../support/cgroups'
import { type Child, cgroupsOf, IS_PURE_V2, MANAGED, ManagerBench } from '../support/manager-bench'
import { operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'

let bench: ManagerBench

beforeEach(() => {
  bench = new ManagerBench()
})
afterEach(() => bench.clear())

const CONTROLLERS = Object.keys(MANAGED)

describeWith(['root', 'cgroups'], 'the path of a manager', () => {
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

  test('is not for systemd to make where the driver is not, and the error says what to use', async () => {
    await expect(pathOf({ cgroupsPath: 'system.slice:kata:vm', driver: 'cgroupfs' })).rejects.toMatchObject({
      code: 'ERR_VMCG_INVALID_PATH',
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

const OVER = ['cpu', 'cpuset', 'memory', 'pids']
const path = () => `${bench.parent}/by-hand`
const pathsOf = (controllers: readonly string[]) =>
  Object.fromEntries(controllers.map((name) => [name, bench.directory(name, path())]))
/** Whether a controller's hierarchy is one of those in which a cgroup is made by hand: some share one. */
const isOver = (name: string) => OVER.some((over) => MANAGED[over] === MANAGED[name])

function makeByHand(): void {
  bench.make(bench.parent)
  bench.make(path(), OVER)
}

async function childInside(): Promise<Child> {
  const child = await bench.child(['sleep', '1000'])
  for (const name of OVER) bench.write(name, 'cgroup.procs', child.pid, path())
  return child
}

describeWith(['root', 'cgroups', 'limits'], 'cgroups that exist', () => {
  beforeEach(makeByHand)

  test('are taken over with who is inside, and limited', async () => {
    const child = await childInside()
    setWeight(path(), 70)
    const manager = await bench.manager({ cgroupsPath: undefined, paths: pathsOf(OVER) })
    expect(await manager.pids()).toEqual([child.pid])
    await manager.apply({ pids: { limit: 30 }, memory: { limit: 2 ** 28 } })
    expect(processLimitOf(path())).toBe(30)
    expect(memoryLimitOf(path())).toBe(2 ** 28)
    expect(weightOf(path())).toBe(70)
    for (const name of CONTROLLERS) expect([name, bench.exists(name, path())]).toEqual([name, isOver(name)])
    expect(await manager.pids()).toEqual([child.pid])

    const again = await CgroupManager.restore(JSON.parse(JSON.stringify(manager)))
    expect(await again.pids()).toEqual([child.pid])
    await again.close()
    await manager.destroy({ processes: 'kill' })
    expect(await child.ended).toBe('SIGKILL')
    for (const name of OVER) expect(bench.exists(name, path())).toBe(false)
  })

  test('must be in one place, below their mount points, of controllers that are mounted', async () => {
    bench.make(`${bench.parent}/elsewhere`, ['memory'])
    const refused: [Record<string, string>, string][] = [
      [
        { ...pathsOf(['cpu']), memory: bench.directory('memory', `${bench.parent}/elsewhere`) },
        'ERR_VMCG_INVALID_PATH',
      ],
      [{ cpu: '/tmp' }, 'ERR_VMCG_INVALID_PATH'],
      [{ cpu: MANAGED['cpu'] ?? '' }, 'ERR_VMCG_INVALID_PATH'],
      [{ cpu: `${MANAGED['cpu']}/` }, 'ERR_VMCG_INVALID_PATH'],
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
    const paths = IS_PURE_V2
      ? { unified: bench.directory('cpu', `${bench.parent}/misspelt`) }
      : pathsOf(['cpu', 'blkio'])
    const [controller = '', missing = ''] = Object.entries(paths).at(-1) ?? []
    const done = await operationsDuring(() =>
      expect(bench.manager({ cgroupsPath: undefined, paths })).rejects.toMatchObject({
        code: 'ENOENT',
        path: missing,
        message: expect.stringContaining(`paths.${controller}: there is no cgroup ${missing}`),
      }),
    )
    expect(done).toEqual([])
    expect(readdirSync(bench.stateDir)).toEqual([])
  })

  test('are taken over also where a manager of that path was made before, and has made nothing', async () => {
    bench.make(bench.path())
    for (const directory of new Set(CONTROLLERS.map((name) => bench.directory(name)))) rmdirSync(directory)
    await bench.manager()
    bench.make(bench.path(), ['pids'])
    const paths = { pids: bench.directory('pids') }
    const manager = await bench.manager({ cgroupsPath: undefined, paths })
    await manager.apply({ pids: { limit: 31 } })
    expect(processLimitOf(bench.path())).toBe(31)
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
    for (const name of CONTROLLERS)
      expect([name, bench.exists(name, bench.path('x'))]).toEqual([name, isOver(name)])
  })
})

describeWith(['root', 'cgroup-v1', 'limits-v1'], 'cgroups that exist, each in a hierarchy of its own', () => {
  beforeEach(makeByHand)

  test('give who was inside to the parent when they are destroyed', async () => {
    const child = await childInside()
    const manager = await bench.manager({ cgroupsPath: undefined, paths: pathsOf(OVER) })
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

  test('are taken over beside those before, when more of them are named later', async () => {
    const child = await bench.child(['sleep', '1000'])
    const first = await bench.manager({ cgroupsPath: undefined, paths: pathsOf(['cpu']) })
    await first.add(child.pid)
    await first.apply({ cpu: { shares: 700 } })
    await bench.manager({ cgroupsPath: undefined, paths: pathsOf(['memory', 'pids']) })
    await first.apply({ cpu: { shares: 700 }, pids: { limit: 30 } })
    expect(processLimitOf(path())).toBe(30)
    for (const name of ['cpu', 'memory', 'pids']) expect(cgroupsOf(child.pid)[name]).toBe(path())
    await first.destroy()
    for (const name of OVER) expect([name, bench.exists(name, path())]).toEqual([name, name === 'cpuset'])
  })
})

describeWith(['root', 'cgroup-v2'], 'a cgroup of v2 that exists', () => {
  beforeEach(makeByHand)

  const directory = () => bench.directory('unified', path())
  const takeOver = (paths: Readonly<Record<string, string>> = { unified: directory() }) =>
    bench.manager({ cgroupsPath: undefined, paths })

  test('is one by whatever name, with every controller', async () => {
    const manager = await takeOver({ unified: directory(), memory: directory() })
    await manager.apply({ pids: { limit: 30 }, cpu: { shares: 100 } })
    expect(manager.paths).toEqual({ unified: directory() })
    expect(processLimitOf(path())).toBe(30)
    await manager.destroy()
    expect(bench.exists('unified', path())).toBe(false)
  })

  test('keeps who was inside until they are out: nobody knows where they came from', async () => {
    const child = await childInside()
    const manager = await takeOver()
    await expect(manager.destroy()).rejects.toMatchObject({ code: 'ERR_VMCG_BUSY', value: String(child.pid) })
    expect(bench.pids('unified', path())).toEqual([child.pid])
    bench.write('unified', 'cgroup.procs', child.pid, '/')
    await manager.destroy()
    expect(bench.exists('unified', path())).toBe(false)
  })

  const refused = async (message: string) => {
    const done = await operationsDuring(() =>
      expect(takeOver()).rejects.toMatchObject({
        code: 'ERR_VMCG_CGROUP_TYPE',
        path: expect.stringContaining(directory()),
        message: expect.stringContaining(message),
      }),
    )
    expect(done).toEqual([])
    expect(readdirSync(bench.stateDir)).toEqual([])
  }

  test('is refused where it has others below', async () => {
    bench.make(`${path()}/below`, ['unified'])
    await refused('has cgroups of its own (below)')
  })

  test.each(['threaded', 'domain threaded'])('is refused where it is "%s"', async (type) => {
    const home = `${bench.parent}/threads`
    for (const made of [home, `${home}/below`]) bench.make(made, ['unified'])
    bench.write('unified', 'cgroup.type', 'threaded', `${home}/below`)
    const taken = type === 'threaded' ? `${home}/below` : home
    const paths = { unified: bench.directory('unified', taken) }
    await expect(takeOver(paths)).rejects.toMatchObject({
      code: 'ERR_VMCG_CGROUP_TYPE',
      path: `${paths.unified}/cgroup.type`,
      value: type,
    })
    expect(readdirSync(bench.stateDir)).toEqual([])
  })
})

describeWith(['root', 'unified'], 'a cgroup of v2 that exists, also beside hierarchies of v1', () => {
  test('is taken over by the name unified', async () => {
    for (const made of [bench.parent, path()]) bench.make(made, ['unified'])
    const child = await bench.child(['sleep', '1000'])
    const paths = { unified: bench.directory('unified', path()) }
    const manager = await bench.manager({ cgroupsPath: undefined, paths })
    await manager.add(child.pid)
    expect(bench.pids('unified', path())).toEqual([child.pid])
    expect(manager.paths).toEqual(paths)
    await manager.destroy()
    expect(bench.exists('unified', path())).toBe(false)
    expect(isAlive(child.pid)).toBe(true)
  })
})
