import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CgroupManager } from '../../src/manager'
import type { ContainerConfig } from '../../src/model/container'
import { Sandbox } from '../../src/sandbox'
import type { LoadOptions } from '../../src/sandbox-options'
import { knobOf, processLimitOf, quotaOf, threadsWeight, weightOf } from '../support/cgroup-limits'
import { directory, hierarchyOf, makeCgroup, moveProcess, placeOf, placesOf } from '../support/cgroups'
import { runChild } from '../support/child-process'
import { type Ground, newGround, placeOn } from '../support/interrupted-life'
import { SECOND_CONTAINER } from '../support/lives'
import { operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'
import { hypervisorOf } from '../support/stand-in'

let ground: Ground

beforeEach(async () => {
  ground = await newGround()
})
afterEach(() => ground.bench.clear())

const MIB = 2 ** 20
const LIMITS = {
  id: 'c1',
  spec: {
    linux: {
      resources: {
        cpu: { quota: 50_000, period: 100_000, cpus: '0', shares: 512 },
        memory: { limit: 512 * MIB },
        pids: { limit: 200 },
      },
    },
  },
}

const UNLIMITED = { id: 'c2', spec: {} }

/** One that another object has applied and closed. */
async function leftBehind(id = 'vm', containers: readonly ContainerConfig[] = [LIMITS]): Promise<void> {
  const { parent, stateDir } = ground.bench
  const sandbox = await Sandbox.create({
    id,
    parent,
    stateDir,
    containers,
    unlimited: 'ignore',
    memoryOverheadBytes: 64 * MIB,
  })
  await sandbox.attach(hypervisorOf(ground.standIn.pid, () => ground.vcpus))
  await sandbox.apply()
  await sandbox.close()
}

async function load(id = 'vm', options: LoadOptions = {}): Promise<Sandbox> {
  const { parent, stateDir } = ground.bench
  const sandbox = await Sandbox.load(id, { parent, stateDir, ...options })
  ground.bench.atEnd(() => sandbox.close())
  return sandbox
}

describeWith(['root', 'cgroups', 'limits', 'python'], 'a sandbox that is loaded', () => {
  test('has the containers, and asks for the limits, of the last apply: there is nothing to do', async () => {
    await leftBehind()
    const sandbox = await load()
    const done = await operationsDuring(async () => {
      expect((await sandbox.apply()).isChanged).toBe(false)
      await sandbox.attach(hypervisorOf(ground.standIn.pid, () => ground.vcpus))
      expect((await sandbox.apply()).isChanged).toBe(false)
      expect((await sandbox.refresh()).isChanged).toBe(false)
    })
    expect(done).toEqual([])
  })

  test('lets go of what it had set when its containers go', async () => {
    await leftBehind()
    const sandbox = await load()
    sandbox.removeContainer('c1')
    const { unlimited, warnings } = await sandbox.apply()
    const sandboxPath = `${ground.bench.parent}/vm`
    expect(unlimited).toEqual([
      `${hierarchyOf('memory')}:${sandboxPath} ${knobOf('memory')}`,
      `${hierarchyOf('pids')}:${sandboxPath} ${knobOf('processes')}`,
      `${hierarchyOf('cpu')}:${sandboxPath}/vcpu ${knobOf('quota')}`,
    ])
    expect(warnings).toEqual([expect.stringContaining(`VMM ${ground.standIn.pid} is not attached`)])
    const { parent } = ground.bench
    expect(processLimitOf(`${parent}/vm`)).toBeNull()
    // Its threads, and the weight that follows them, stay: nobody has said which are vCPUs.
    expect(placeOf(ground.vcpus[0] ?? 0)['cpu']).toBe(`${parent}/vm/vcpu`)
    expect(weightOf(`${parent}/vm/vcpu`)).toBe(threadsWeight(2))
  })

  test('merges as it was merged, and otherwise only when it is told to', async () => {
    await leftBehind('vm', [LIMITS, UNLIMITED])
    expect((await (await load()).plan()).stages).toEqual([])
    await (await load('vm', { unlimited: 'uncap' })).apply()
    expect(quotaOf(`${ground.bench.parent}/vm/vcpu`).quota).toBeNull()
    expect((await (await load()).plan()).stages).toEqual([])
  })

  test('refuses to refresh while its VMM lives and cannot be asked', async () => {
    await leftBehind()
    const sandbox = await load()
    const { pid } = ground.standIn
    await expect(sandbox.refresh()).rejects.toMatchObject({
      code: 'ERR_VMCG_NOT_ATTACHED',
      value: String(pid),
      hint: expect.stringContaining('attach()'),
    })
    await ground.standIn.kill()
    expect((await sandbox.refresh()).isChanged).toBe(false)
  })

  test('gives everybody back when it is destroyed, without its VMM being asked', async () => {
    await leftBehind()
    const sandbox = await load()
    expect((await sandbox.destroy()).unlimited).toEqual(ground.vcpus)
    for (const tid of [ground.standIn.pid, ...ground.vcpus]) expect(placesOf(tid)).toEqual(ground.origin)
    expect(readdirSync(ground.bench.stateDir)).toEqual([])
  })
})

describeWith(['root', 'cgroups', 'python'], 'loading', () => {
  test('says that there is none, where it looked, and leaves nothing there', async () => {
    const { stateDir, parent } = ground.bench
    await expect(load('nobody')).rejects.toMatchObject({
      code: 'ERR_VMCG_DESTROYED',
      path: stateDir,
      value: `${parent}/nobody`,
      hint: expect.stringContaining('create()'),
    })
    expect(readdirSync(stateDir)).toEqual([])
  })

  test('takes no manager for a sandbox', async () => {
    const manager = await ground.bench.manager({ cgroupsPath: `${ground.bench.parent}/one` })
    await expect(load('kata_one')).rejects.toMatchObject({
      code: 'ERR_VMCG_STATE',
      message: expect.stringContaining('CgroupManager'),
    })
    await manager.destroy()
  })

  test('takes up a directory without a tag only where the state claims it and nobody is in it', async () => {
    const { bench } = ground
    const path = `${bench.parent}/vm`
    const sandbox = await Sandbox.create({ id: 'vm', parent: bench.parent, stateDir: bench.stateDir })
    await sandbox.close()
    makeCgroup(bench.parent, ['cpu'])
    makeCgroup(path, ['cpu'])
    const foreign = { code: 'ERR_VMCG_FOREIGN_CGROUP', path: directory('cpu', path) }
    await expect((await load()).apply()).rejects.toMatchObject(foreign)

    const [name = ''] = readdirSync(bench.stateDir).filter((file) => file.endsWith('.json'))
    const file = join(bench.stateDir, name)
    const state = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, JSON.stringify({ ...state, claimed: [hierarchyOf('cpu')] }))
    moveProcess(path, ground.standIn.pid, ['cpu'])
    await expect((await load()).apply()).rejects.toMatchObject(foreign)

    moveProcess('/', ground.standIn.pid, ['cpu'])
    expect((await (await load()).apply()).isChanged).toBe(true)
  })
})

describeWith(
  ['root', 'cgroups', 'limits', 'python'],
  'a sandbox that is open while another process works on it',
  () => {
    test.each([8, 16, 24])('goes on at once when that one is killed after step %i', async (steps) => {
      const place = placeOn(ground, 'vm')
      const { parent, stateDir, pid, vcpus } = place
      const sandbox = await Sandbox.create({ id: 'vm', parent, stateDir, containers: [SECOND_CONTAINER] })
      ground.bench.atEnd(() => sandbox.close())
      const child = runChild('end-after.ts', ['sandbox', String(steps), 'hold', JSON.stringify(place)])
      const ended = once(child, 'exit')
      await Promise.race([once(child.stdout, 'data'), ended])
      expect(child.exitCode).toBeNull()
      let isDone = false
      const applying = (async () => {
        await sandbox.attach(hypervisorOf(pid, () => vcpus))
        await sandbox.apply()
        isDone = true
      })()
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect(isDone).toBe(false)
      child.kill('SIGKILL')
      await Promise.all([ended, applying])
      expect(processLimitOf(`${parent}/vm`)).toBe(300)
      expect(quotaOf(`${parent}/vm/vcpu`).quota).toBeNull()
      expect((await sandbox.apply()).isChanged).toBe(false)
      await sandbox.destroy()
    })
  },
)

describeWith(['root', 'cgroups', 'limits', 'python'], 'the list of sandboxes', () => {
  test('tells each one, sorted, with its VMM and whether that lives; managers are none', async () => {
    const { parent, stateDir } = ground.bench
    await leftBehind('vm2')
    await (await Sandbox.create({ id: 'vm1', parent, stateDir })).close()
    await (await CgroupManager.create({ cgroupsPath: `${parent}/one`, stateDir })).close()
    const { pid } = ground.standIn
    const common = { parent, driver: 'cgroupfs' }
    const vm1 = { ...common, id: 'vm1', vmm: null, isApplied: false }
    const vm2 = { ...common, id: 'vm2', vmm: { pid, isAlive: true }, isApplied: true }
    const listed = await Sandbox.list({ stateDir })
    expect(listed).toEqual([vm1, vm2])
    expect(listed.every(Object.isFrozen)).toBe(true)
    await ground.standIn.kill()
    expect(await Sandbox.list({ stateDir })).toEqual([vm1, { ...vm2, vmm: { pid, isAlive: false } }])
  })

  test('ends with what cannot be read, which hides no other', async () => {
    const { parent, stateDir } = ground.bench
    await (await Sandbox.create({ id: 'vm1', parent, stateDir })).close()
    const [damaged, newer] = ['0', '1'].map((digit) => join(stateDir, `${digit.repeat(32)}.json`))
    writeFileSync(damaged ?? '', '{"schema":1,')
    writeFileSync(newer ?? '', '{"schema":2}')
    writeFileSync(join(stateDir, 'notes.json'), 'of somebody')
    expect(await Sandbox.list({ stateDir })).toEqual([
      expect.objectContaining({ id: 'vm1' }),
      { error: expect.objectContaining({ code: 'ERR_VMCG_STATE', path: damaged }) },
      { error: expect.objectContaining({ code: 'ERR_VMCG_STATE', path: newer }) },
    ])
  })

  test('is empty where there is no state directory, and makes none', async () => {
    const stateDir = join(ground.bench.stateDir, 'none')
    expect(await Sandbox.list({ stateDir })).toEqual([])
    expect(readdirSync(ground.bench.stateDir)).toEqual([])
  })

  test('is not taken from a directory that others could write to', async () => {
    const stateDir = join(ground.bench.stateDir, 'open')
    mkdirSync(stateDir)
    chmodSync(stateDir, 0o777)
    await expect(Sandbox.list({ stateDir })).rejects.toMatchObject({ code: 'ERR_VMCG_STATE', path: stateDir })
  })

  test('is the same to a process that comes after', async () => {
    const { parent, stateDir } = ground.bench
    await (await Sandbox.create({ id: 'vm1', parent, stateDir })).close()
    const sources = join(__dirname, '..', '..', 'src', 'sandbox')
    const hook = join(__dirname, '..', 'support', 'typescript.js')
    const program = `require(${JSON.stringify(sources)}).Sandbox.list({ stateDir: ${JSON.stringify(stateDir)} })
      .then(([{ id }]) => process.stdout.write(id))`
    const { stdout } = spawnSync(process.execPath, ['--require', hook, '--eval', program], {
      encoding: 'utf8',
    })
    expect(stdout).toBe('vm1')
  })
})
