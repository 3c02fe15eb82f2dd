import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { CgroupManagerConfig } from '../../src/manager-options'
import { ManagerBench } from '../support/manager-bench'
import { operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'

/** The directory of the cgroup that this user was given; this process is in a cgroup below. */
const given = process.env['VMCG_DELEGATED'] ?? ''
const parent = `/${basename(given)}/vms`
const SESSION = `/${basename(given)}/session`
/** Somebody else's cgroup, in which this user was given nothing. */
const ELSEWHERE = '/vmcg-test-elsewhere'

const TOP = '/sys/fs/cgroup'
const read = (path: string, file: string) => readFileSync(join(TOP, path, file), 'utf8').trimEnd()
const unifiedOf = (pid: number) => /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1]

describeWith(['delegated-v2', 'python'], 'a user who was given a part of the v2 tree', () => {
  let bench: ManagerBench
  beforeEach(() => {
    bench = new ManagerBench()
  })
  afterEach(async () => {
    await bench.clear()
    if (existsSync(join(TOP, parent))) rmdirSync(join(TOP, parent))
  })

  const managerOf = (config: Partial<CgroupManagerConfig> = {}) =>
    bench.manager({ cgroupsPath: `${parent}/one`, ...config })
  const path = `${parent}/kata_one`

  test('holds a process of theirs to real limits, and gives it back to where it was', async () => {
    const manager = await managerOf()
    const { pid } = await bench.child(['sleep', '1000'])
    expect(unifiedOf(pid)).toBe(SESSION)
    await manager.add(pid)
    expect(unifiedOf(pid)).toBe(path)
    await manager.apply({
      memory: { limit: 2 ** 26 },
      pids: { limit: 9 },
      cpu: { shares: 512, quota: 50_000, cpus: '0' },
    })
    expect({
      memory: read(path, 'memory.max'),
      pids: read(path, 'pids.max'),
      quota: read(path, 'cpu.max'),
      weight: read(path, 'cpu.weight'),
      cpus: read(path, 'cpuset.cpus'),
    }).toEqual({ memory: String(2 ** 26), pids: '9', quota: '50000 100000', weight: '59', cpus: '0' })
    expect(await operationsDuring(() => manager.apply())).toEqual([])
    await manager.destroy()
    expect(unifiedOf(pid)).toBe(SESSION)
    expect(existsSync(join(TOP, path))).toBe(false)
    expect(readdirSync(bench.stateDir)).toEqual([])
  })

  test('lets nobody inside start one process too many', async () => {
    const manager = await managerOf()
    const shell = await bench.child(['sh', '-c', 'while sleep 0.05; do :; done'])
    await manager.add(shell.pid)
    await manager.apply({ pids: { limit: 1 } })
    await shell.ended
    expect(read(path, 'pids.events')).toMatch(/^max [1-9]/)
    await manager.destroy()
  })

  test('marks directories with the attribute that they may set', async () => {
    const manager = await managerOf()
    await manager.apply()
    const list = 'import os, sys; print(*os.listxattr(sys.argv[1]))'
    expect(execFileSync('python3', ['-c', list, join(TOP, path)], { encoding: 'utf8' })).toBe('user.vmcg\n')
    const stateDir = mkdtempSync(join(tmpdir(), 'vmcg-test-state-'))
    bench.atEnd(() => rmSync(stateDir, { recursive: true }))
    await expect(managerOf({ stateDir })).rejects.toMatchObject({ code: 'ERR_VMCG_FOREIGN_CGROUP' })
    await manager.destroy()
  })

  test('freezes, thaws and kills', async () => {
    const manager = await managerOf()
    const child = await bench.child(['sleep', '1000'])
    await manager.add(child.pid)
    await manager.freeze()
    expect(read(path, 'cgroup.events')).toContain('frozen 1')
    await manager.thaw()
    expect(read(path, 'cgroup.events')).toContain('frozen 0')
    await manager.kill()
    expect(await child.ended).toBe('SIGKILL')
    await manager.destroy()
  })

  test('cannot take in a process from outside: the error says why and what to do, and nobody is remembered', async () => {
    const manager = await managerOf()
    await expect(manager.add(process.ppid)).rejects.toMatchObject({
      code: 'EACCES',
      value: String(process.ppid),
      message: expect.stringContaining('cgroup.procs of the nearest cgroup above both'),
      hint: expect.stringContaining('start it inside'),
    })
    const { pid } = await bench.child(['sleep', '1000'])
    await manager.add(pid)
    expect(await manager.pids()).toEqual([pid])
    await manager.destroy()
  })

  test('cannot set device rules without the capabilities, which are named before anything is written', async () => {
    const manager = await managerOf()
    const done = await operationsDuring(() =>
      expect(
        manager.apply({ pids: { limit: 5 }, devices: [{ allow: false, access: 'rwm' }] }),
      ).rejects.toMatchObject({
        code: 'ERR_VMCG_NO_CAPABILITY',
        message: expect.stringMatching(/CAP_BPF|CAP_SYS_ADMIN/),
      }),
    )
    expect(done).toEqual([])
  })

  test('cannot have single threads apart, as nobody can on v2', async () => {
    const manager = await managerOf()
    await expect(manager.addThreads([process.pid])).rejects.toMatchObject({ code: 'ERR_VMCG_UNSUPPORTED' })
  })
})

describeWith(['delegated-v2'], 'where this user was given nothing, a manager', () => {
  let bench: ManagerBench
  beforeEach(() => {
    bench = new ManagerBench()
  })
  afterEach(() => bench.clear())

  const managerOf = (config: Partial<CgroupManagerConfig> = {}) =>
    bench.manager({ cgroupsPath: `${ELSEWHERE}/one`, ...config })

  test('does nothing, also with the dead, and says so', async () => {
    const told: unknown[] = []
    const quiet = () => undefined
    const debug = (...words: unknown[]) => told.push(...words)
    const manager = await managerOf({ logger: { debug, info: quiet, warn: quiet, error: quiet } })
    expect(told).toContainEqual(expect.stringContaining('no cgroup was given to this user'))
    const { pid } = await bench.child(['sleep', '1000'])
    const before = unifiedOf(pid)
    expect(await manager.add(pid)).toMatchObject({ isChanged: false })
    expect(await manager.apply({ memory: { limit: 2 ** 28 }, pids: { limit: 5 } })).toMatchObject({
      isChanged: false,
    })
    expect(unifiedOf(pid)).toBe(before)
    expect(existsSync(join(TOP, ELSEWHERE))).toBe(false)
    expect(await manager.pids()).toEqual([])
    await manager.destroy()
  })

  test.each([
    ['what nobody could set', { cpu: { shares: 1 } }, 'ERR_VMCG_OUT_OF_RANGE'],
    ['what v2 has nothing for', { memory: { swappiness: 10 } }, 'ERR_VMCG_UNSUPPORTED'],
    ['a file that leads out', { unified: { '../memory.max': '1' } }, 'ERR_VMCG_INVALID_ARGUMENT'],
  ])('refuses %s all the same', async (_, resources, code) => {
    const manager = await managerOf()
    await expect(manager.apply(resources)).rejects.toMatchObject({ code })
    await expect(managerOf({ cgroupsPath: `${ELSEWHERE}/two`, resources })).rejects.toMatchObject({ code })
    await manager.destroy()
  })

  test('takes the files of v2', async () => {
    const manager = await managerOf({ resources: { unified: { 'memory.high': '64M' } } })
    expect(await manager.apply()).toMatchObject({ isChanged: false })
    await manager.destroy()
  })

  test('has nothing to freeze, and the error says what root would have to give away', async () => {
    const manager = await managerOf()
    await expect(manager.freeze()).rejects.toMatchObject({
      code: 'ERR_VMCG_NO_CONTROLLER',
      message: expect.stringContaining('cgroup v2 is mounted, but this user may not make the cgroup there'),
      hint: expect.stringContaining('cgroup.subtree_control'),
    })
    await manager.destroy()
  })
})
