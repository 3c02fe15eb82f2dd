import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Roots } from '../../src/engine/lane'
import { launchProcess } from '../../src/engine/launch'
import { NULL_DEVICE } from '../../src/engine/native'
import type { LinuxCpu, LinuxResources } from '../../src/model/generated/oci'
import { Bench, container } from '../support/bench'
import {
  type Controller,
  directory,
  everywhere,
  hierarchiesWith,
  hierarchyOf,
  isAlive,
  isUnified,
  placeOf,
  readKnob,
  threadsIn,
} from '../support/cgroups'
import { buildFirstLook, firstLook } from '../support/launches'
import { describeWith } from '../support/require'

const LIMITED: readonly Controller[] = ['cpu', 'cpuacct', 'cpuset', 'memory', 'pids']
const MEBI = 2 ** 20

describeWith(['root', 'cgroups', 'limits', 'gcc'], 'launch, into the cgroups of a sandbox', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vmcg-test-launch-'))
  const program = buildFirstLook(dir)
  let bench: Bench

  beforeEach(() => {
    bench = new Bench()
  })

  afterEach(() => bench.clear())

  afterAll(() => {
    rmSync(dir, { recursive: true })
  })

  const resources: LinuxResources = {
    cpu: { quota: 50_000, period: 100_000, cpus: '0' },
    memory: { limit: 256 * MEBI },
    pids: { limit: 100 },
  }

  function limited() {
    return bench.sandbox({
      containers: [{ id: 'c1', spec: { linux: { resources } } }],
      memoryOverheadBytes: 64 * MEBI,
    })
  }

  test('the very first instruction runs inside, in every hierarchy of the sandbox', async () => {
    const sandbox = await limited()
    const process = await sandbox.launch(program)
    const seen = await firstLook(process)
    for (const { id } of hierarchiesWith(LIMITED)) expect(seen[id]).toBe(sandbox.paths.sandbox)
    process.stdin?.end()
    expect(await process.exited).toEqual({ code: 0, signal: null })
  })

  test('the memory that it touches is charged there', async () => {
    const sandbox = await limited()
    const process = await sandbox.launch(program, ['64'])
    await firstLook(process)
    const knob = isUnified() ? 'memory.current' : 'memory.usage_in_bytes'
    const used = Number(readKnob('memory', sandbox.paths.sandbox, knob))
    expect(used).toBeGreaterThan(64 * MEBI)
    expect(used).toBeLessThan(128 * MEBI)
    process.stdin?.end()
    await process.exited
  })

  test('what it starts in turn is inside as well, and destroy() ends all of it', async () => {
    const sandbox = await limited()
    const process = await sandbox.launch('/bin/sh', ['-c', 'sleep 1000 & sleep 1000 & wait'], {
      stdio: 'ignore',
    })
    while (threadsIn(sandbox.paths.sandbox).length < 3) await new Promise((resolve) => setTimeout(resolve, 5))
    const tids = threadsIn(sandbox.paths.sandbox)
    await sandbox.destroy({ processes: 'kill' })
    expect(tids.filter(isAlive)).toEqual([])
    expect(await process.exited).toEqual({ code: null, signal: 'SIGKILL' })
  })

  test('destroy() gives it to the parent on v1, and refuses on v2, where the parent takes nobody', async () => {
    const sandbox = await limited()
    const process = await sandbox.launch('sleep', ['1000'], { stdio: 'ignore' })
    bench.atEnd(async () => {
      process.kill('SIGKILL')
    })
    if (isUnified()) {
      await expect(sandbox.destroy()).rejects.toMatchObject({ code: 'ERR_VMCG_BUSY' })
      await sandbox.destroy({ processes: 'kill' })
    } else {
      await sandbox.destroy()
      expect(placeOf(process.pid)).toEqual(everywhere(sandbox.paths.parent))
      process.kill('SIGKILL')
    }
    expect(await process.exited).toEqual({ code: null, signal: 'SIGKILL' })
  })

  test('a helper that was added before it stays', async () => {
    const sandbox = await limited()
    await sandbox.apply()
    const helper = await bench.standIn()
    await sandbox.add(helper.pid)
    const process = await sandbox.launch('sleep', ['1000'], { stdio: 'ignore' })
    const threads = await sandbox.threads()
    expect(threads.filter(({ role }) => role === 'helper').map(({ pid }) => pid)).toContain(helper.pid)
    process.kill('SIGKILL')
    await process.exited
  })

  test('a removed cgroup is made again first', async () => {
    const sandbox = await limited()
    await sandbox.apply()
    for (const { mountPoint } of hierarchiesWith(['pids'])) {
      const path = join(mountPoint, sandbox.paths.sandbox)
      for (const name of readdirSync(path, { withFileTypes: true })) {
        if (name.isDirectory()) rmdirSync(join(path, name.name))
      }
      rmdirSync(path)
    }
    const process = await sandbox.launch(program)
    expect((await firstLook(process))[hierarchyOf('pids')]).toBe(sandbox.paths.sandbox)
    process.stdin?.end()
    await process.exited
  })

  test('keeps everything in place for the next refresh', async () => {
    const sandbox = await limited()
    const process = await sandbox.launch('sleep', ['1000'], { stdio: 'ignore' })
    expect((await sandbox.apply()).isChanged).toBe(false)
    process.kill('SIGKILL')
    await process.exited
  })
})

describeWith(['root', 'cgroups', 'freezer'], 'launch, into a cgroup that does not take it', () => {
  let bench: Bench

  beforeEach(() => {
    bench = new Bench()
  })

  afterEach(() => bench.clear())

  async function limited(cpu: LinuxCpu) {
    const sandbox = await bench.sandbox({ containers: [container(cpu)] })
    await sandbox.apply()
    return sandbox
  }

  test('is refused while the sandbox is frozen, and works again once it is thawed', async () => {
    const sandbox = await limited({})
    await sandbox.freeze()
    await expect(sandbox.launch('true')).rejects.toMatchObject({
      code: 'ERR_VMCG_BUSY',
      hint: 'thaw() it first',
    })
    await sandbox.thaw()
    expect(await (await sandbox.launch('true')).exited).toEqual({ code: 0, signal: null })
  })

  test('names the cgroup that refuses it, and leaves nothing of the process', async () => {
    const sandbox = await limited({})
    const roots = new Roots()
    const hierarchy = hierarchiesWith(['cpu'])[0]
    if (hierarchy === undefined) throw new Error('a host with cgroups has cpu somewhere')
    const { version, mountPoint } = hierarchy
    const place = { version, mountPoint, root: roots.id(mountPoint), path: `${sandbox.paths.sandbox}/gone` }
    const order = {
      file: 'true',
      args: [],
      env: process.env,
      stdio: [NULL_DEVICE],
      rlimits: [],
      isDetached: false,
    }
    await expect(launchProcess(order, [place], { timeoutMs: 10_000 })).rejects.toMatchObject({
      code: 'ERR_VMCG_SPAWN',
      step: 'enter',
      errno: -2,
      path: version === 1 ? `${directory('cpu', place.path)}/tasks` : directory('cpu', place.path),
    })
    roots.close()
  })

  test('is told of by its file when the kernel refuses: a v1 cpuset without CPUs', async () => {
    if (isUnified()) return
    const sandbox = await limited({ cpus: '0' })
    const path = `${sandbox.paths.parent}/empty`
    mkdirSync(directory('cpuset', path))
    const roots = new Roots()
    const mountPoint = directory('cpuset', '/')
    const place = { version: 1 as const, mountPoint, root: roots.id(mountPoint), path }
    const order = { file: 'true', args: [], env: {}, stdio: [NULL_DEVICE], rlimits: [], isDetached: false }
    await expect(launchProcess(order, [place], { timeoutMs: 10_000 })).rejects.toMatchObject({
      step: 'enter',
      errno: -28,
      path: `${mountPoint}${path}/tasks`,
    })
    roots.close()
    expect(readFileSync(`${mountPoint}${path}/tasks`, 'utf8')).toBe('')
  })
})
