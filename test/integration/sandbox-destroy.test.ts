import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import { quotaOf } from '../support/cgroup-limits'
import {
  CONTROLLERS,
  everywhere,
  exists,
  hierarchiesWith,
  isAlive,
  isUnified,
  makeCgroup,
  moveProcess,
  moveThread,
  placeOf,
  removeCgroups,
  threadsIn,
} from '../support/cgroups'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'
import { hypervisorOf, waitUntilGone } from '../support/stand-in'

jest.setTimeout(patience(60_000))

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

const LIMITS = container({ quota: 50_000, period: 100_000, cpus: '0' })

/** A process that does nothing, in the cgroup that it is to come from. */
async function idleProcess(cgroup: string): Promise<number> {
  const child: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', 'sleep', '600'], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await once(child, 'spawn')
  bench.atEnd(async () => {
    child.kill('SIGKILL')
    await ended
  })
  if (child.pid === undefined) throw new Error('a process that was spawned has no pid')
  moveProcess(cgroup, child.pid)
  return child.pid
}

function makeOrigin(): string {
  const origin = `${bench.parent}/origin`
  makeCgroup(bench.parent)
  makeCgroup(origin)
  return origin
}

function expectGone(): void {
  for (const controller of CONTROLLERS) {
    expect(exists(`${bench.parent}/vm`, controller)).toBe(false)
    expect(exists(bench.parent, controller)).toBe(true)
  }
}

describeWith(['root', 'cgroups', 'python'], 'destroy', () => {
  test('gives live helpers back to where they came from, past one that is dead', async () => {
    const origin = makeOrigin()
    const [first, dying, last] = [
      await idleProcess(origin),
      await idleProcess(origin),
      await idleProcess(origin),
    ]
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    for (const pid of [first, dying, last]) await sandbox.add(pid)
    await sandbox.apply()
    for (const pid of [first, dying, last]) expect(placeOf(pid)).toEqual(everywhere(`${bench.parent}/vm`))
    process.kill(dying, 'SIGKILL')
    waitUntilGone(dying)
    const report = await sandbox.destroy()
    for (const pid of [first, last]) expect(placeOf(pid)).toEqual(everywhere(origin))
    expect(new Set(report.moved.map(({ tid }) => tid))).toEqual(new Set([first, last]))
    expectGone()
  })

  test('gives every thread of a VMM back, vCPUs too, and tells which lose their limit', async () => {
    const origin = makeOrigin()
    const vmm = await bench.standIn()
    const vcpus = await vmm.start(2)
    moveProcess(origin, vmm.pid)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
    await sandbox.apply()
    const { unlimited } = await sandbox.destroy()
    expect(unlimited).toEqual(vcpus)
    for (const tid of [vmm.pid, ...vcpus]) expect(placeOf(tid)).toEqual(everywhere(origin))
    expectGone()
  })

  test('is done once: the second time there is nothing to do', async () => {
    const vmm = await bench.standIn()
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => []))
    await sandbox.apply()
    expect((await sandbox.destroy()).removed).toHaveLength(2 * hierarchiesWith().length)
    expect(await sandbox.destroy()).toEqual({ sandbox: 'vm', moved: [], removed: [], unlimited: [] })
    await expect(sandbox.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_DESTROYED' })
    expectGone()
  })

  test('kills what is in the sandbox when told to, and nothing else', async () => {
    const origin = makeOrigin()
    const [helper, bystander] = [await idleProcess(origin), await idleProcess(origin)]
    const vmm = await bench.standIn()
    const vcpus = await vmm.start(2)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
    await sandbox.add(helper)
    await sandbox.apply()
    expect((await sandbox.destroy({ processes: 'kill' })).moved).toEqual([])
    expect([vmm.pid, helper, bystander].map(isAlive)).toEqual([false, false, true])
    expectGone()
  })

  test('empties a sandbox whose VMM keeps making threads', async () => {
    const vmm = await bench.standIn()
    const vcpus = await vmm.start(2)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
    await vmm.churn(4)
    await sandbox.apply()
    await sandbox.destroy()
    expectGone()
    await vmm.churn(0)
  })

  test('takes along what a process in the sandbox has forked', async () => {
    const origin = makeOrigin()
    const vmm = await bench.standIn()
    moveProcess(origin, vmm.pid)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => []))
    await sandbox.apply()
    const child = await idleProcess(`${bench.parent}/vm`)
    expect(threadsIn(`${bench.parent}/vm`)).toContain(child)
    await sandbox.destroy()
    // A parent on v2 takes nobody, so that it goes where everybody else has come from.
    expect(placeOf(child)).toEqual(everywhere(isUnified() ? origin : bench.parent))
    expectGone()
  })

  test('leaves a process alone that somebody took out', async () => {
    const origin = makeOrigin()
    const elsewhere = `${bench.parent}/elsewhere`
    makeCgroup(elsewhere)
    const [taken, staying] = [await idleProcess(origin), await idleProcess(origin)]
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    for (const pid of [taken, staying]) await sandbox.add(pid)
    await sandbox.apply()
    moveProcess(elsewhere, taken)
    const { moved } = await sandbox.destroy()
    expect(new Set(moved.map(({ tid }) => tid))).toEqual(new Set([staying]))
    expect(placeOf(taken)).toEqual(everywhere(elsewhere))
  })
})

describeWith(['root', 'cgroup-v2', 'python'], 'destroy on cgroup v2', () => {
  /** A sandbox with a helper whose place of origin is gone. */
  async function uprooted(): Promise<{ readonly sandbox: Sandbox; readonly pid: number }> {
    const origin = makeOrigin()
    const pid = await idleProcess(origin)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.add(pid)
    await sandbox.apply()
    await removeCgroups(origin)
    return { sandbox, pid }
  }

  test('refuses where the place of origin is gone, since the parent takes nobody, and says what to do', async () => {
    const { sandbox, pid } = await uprooted()
    await expect(sandbox.destroy()).rejects.toMatchObject({
      code: 'ERR_VMCG_BUSY',
      message: expect.stringMatching(`process ${pid} in .*${bench.parent}/vm has nowhere to go`),
      value: String(pid),
      hint: expect.stringContaining(`echo ${pid} > `),
    })
    expect(placeOf(pid)).toEqual(everywhere(`${bench.parent}/vm`))
    expect(quotaOf(`${bench.parent}/vm/vcpu`)).toEqual({ quota: 50_000, period: 100_000 })
  })

  test('goes on once somebody has moved it, as the error says', async () => {
    const { sandbox, pid } = await uprooted()
    await expect(sandbox.destroy()).rejects.toMatchObject({ code: 'ERR_VMCG_BUSY' })
    moveProcess('/', pid)
    await sandbox.destroy()
    expect(placeOf(pid)).toEqual(everywhere('/'))
    expectGone()
  })

  test('or kills it, when told to', async () => {
    const { sandbox, pid } = await uprooted()
    await sandbox.destroy({ processes: 'kill' })
    expect(isAlive(pid)).toBe(false)
    expectGone()
  })
})

describeWith(['root', 'cgroup-v1', 'python'], 'destroy on cgroup v1', () => {
  test('gives to the parent where the place of origin is gone', async () => {
    const origin = makeOrigin()
    const pid = await idleProcess(origin)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.add(pid)
    await sandbox.apply()
    await removeCgroups(origin)
    await sandbox.destroy()
    expect(placeOf(pid)).toEqual(everywhere(bench.parent))
    expectGone()
  })

  test('leaves a thread alone that somebody took out', async () => {
    const origin = makeOrigin()
    const vmm = await bench.standIn()
    const [vcpu = 0] = await vmm.start(1)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => [vcpu]))
    await sandbox.apply()
    moveThread(origin, vcpu)
    await sandbox.destroy()
    expect(placeOf(vcpu)).toEqual(everywhere(origin))
  })
})
