import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type { HypervisorThreads } from '../../src/hypervisor/hypervisor'
import { operationsOf } from '../../src/plan/operations'
import { Bench, container } from '../support/bench'
import { exists, placeOf } from '../support/cgroups'
import { runChild } from '../support/child-process'
import { onOperation, operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'
import { hypervisorOf } from '../support/stand-in'

jest.setTimeout(patience(60_000))

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

const LIMITS = container({ quota: 50_000, period: 100_000 })

/** A process that works on the sandbox and does not get done. @returns its pid */
async function holderOfLock(): Promise<number> {
  const child = runChild('hold-lock.ts', [bench.parent, bench.stateDir])
  const ended = once(child, 'exit')
  bench.atEnd(async () => {
    child.kill('SIGKILL')
    await ended
  })
  await Promise.race([once(child.stdout, 'data'), ended])
  if (child.pid === undefined || child.exitCode !== null) throw new Error('the holder of the lock has ended')
  return child.pid
}

/** Lets `act` begin and says when the hypervisor has been asked; the answer comes when it is told to. */
function slowAnswer(vcpus: readonly number[]) {
  let tellAsked = (): void => undefined
  let answer = (_threads: HypervisorThreads): void => undefined
  const asked = new Promise<void>((resolve) => {
    tellAsked = resolve
  })
  const answered = new Promise<HypervisorThreads>((resolve) => {
    answer = resolve
  })
  return {
    asked,
    threads: () => {
      tellAsked()
      return answered
    },
    answer: () => answer({ vcpus: new Map(vcpus.entries()), iothreads: new Map() }),
  }
}

describeWith(['root', 'cgroups'], 'a sandbox that another process works on', () => {
  test('is busy when that takes too long, and the error names the process', async () => {
    const pid = await holderOfLock()
    await expect(bench.sandbox({ lockTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'ERR_VMCG_BUSY',
      message: expect.stringContaining(`process ${pid} `),
      path: expect.stringContaining(bench.stateDir),
      hint: expect.stringContaining(`ps -p ${pid}`),
    })
  })

  test('is free again as soon as that process has ended, however it ended', async () => {
    const pid = await holderOfLock()
    const waiting = bench.sandbox({ containers: [LIMITS] })
    process.kill(pid, 'SIGKILL')
    await (await waiting).apply()
    expect(exists(`${bench.parent}/vm/vcpu`)).toBe(true)
  })

  test("rejects with the signal's reason when it is aborted while it waits, and has made nothing", async () => {
    await holderOfLock()
    const reason = new Error('changed my mind')
    const controller = new AbortController()
    const waiting = bench.sandbox({ signal: controller.signal })
    setTimeout(() => controller.abort(reason), 50)
    await expect(waiting).rejects.toBe(reason)
    expect(exists(bench.parent)).toBe(false)
  })
})

describeWith(['root', 'cgroups', 'python'], 'two objects for one sandbox', () => {
  test('take turns: the second waits for the first, and then finds everything done', async () => {
    const vmm = await bench.standIn()
    const vcpus = await vmm.start(2)
    const slow = slowAnswer(vcpus)
    const first = await bench.sandbox({ containers: [LIMITS] })
    const second = await bench.sandbox({ containers: [LIMITS] })
    await first.attach({ ...hypervisorOf(vmm.pid, () => vcpus), threads: slow.threads })
    await second.attach(hypervisorOf(vmm.pid, () => vcpus))
    const firstReport = first.apply()
    await slow.asked
    const secondReport = second.apply()
    slow.answer()
    expect((await firstReport).placed).toEqual(vcpus)
    expect((await secondReport).isChanged).toBe(false)
  })

  test('agree on the VMM: the one that was attached last counts, and the other object is told', async () => {
    const [before, now] = [await bench.standIn(), await bench.standIn()]
    const [vcpusBefore, vcpusNow] = [await before.start(1), await now.start(1)]
    const first = await bench.sandbox({ containers: [LIMITS] })
    const second = await bench.sandbox({ containers: [LIMITS] })
    await first.attach(hypervisorOf(before.pid, () => vcpusBefore))
    await second.attach(hypervisorOf(now.pid, () => vcpusNow))
    await expect(first.apply()).rejects.toMatchObject({
      code: 'ERR_VMCG_VM_GONE',
      value: String(before.pid),
    })
    expect((await second.apply()).placed).toEqual(vcpusNow)
  })

  test('plan with what the other one has remembered, so that the plan can be applied', async () => {
    const helper = await bench.standIn()
    const first = await bench.sandbox({ containers: [LIMITS] })
    const second = await bench.sandbox({ containers: [LIMITS] })
    await second.add(helper.pid)
    const plan = await first.plan()
    expect(operationsOf(plan)).toContainEqual(
      expect.objectContaining({ kind: 'move-process', pid: helper.pid }),
    )
    await first.apply({ plan })
    expect(placeOf(helper.pid)['cpu']).toBe(`${bench.parent}/vm`)
  })

  test('agree that it is destroyed when one of them has done so', async () => {
    const first = await bench.sandbox({ containers: [LIMITS] })
    const second = await bench.sandbox({ containers: [LIMITS] })
    await first.apply()
    await second.destroy()
    await expect(first.plan()).rejects.toMatchObject({ code: 'ERR_VMCG_DESTROYED' })
    await expect(first.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_DESTROYED' })
    expect((await first.destroy()).removed).toEqual([])
    expect(exists(`${bench.parent}/vm`)).toBe(false)
  })
})

describeWith(['root', 'cgroups', 'python'], 'a look that close() overtakes', () => {
  test('rejects, since nobody would close what it opens now', async () => {
    const vmm = await bench.standIn()
    const slow = slowAnswer([])
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach({ ...hypervisorOf(vmm.pid, () => []), threads: slow.threads })
    const looking = sandbox.threads()
    await slow.asked
    await sandbox.close()
    slow.answer()
    await expect(looking).rejects.toMatchObject({ code: 'ERR_VMCG_CLOSED' })
  })
})

describeWith(['root', 'cgroups', 'python'], 'an abort while an earlier call still works', () => {
  test('rejects at once, and what was taken back never runs', async () => {
    const vmm = await bench.standIn()
    const vcpus = await vmm.start(1)
    const slow = slowAnswer(vcpus)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach({ ...hypervisorOf(vmm.pid, () => vcpus), threads: slow.threads })
    const applying = sandbox.apply()
    await slow.asked
    const reason = new Error('changed my mind')
    const controller = new AbortController()
    const destroying = sandbox.destroy({ signal: controller.signal })
    controller.abort(reason)
    await expect(destroying).rejects.toBe(reason)
    slow.answer()
    expect((await applying).placed).toEqual(vcpus)
    expect((await sandbox.refresh()).isChanged).toBe(false)
  })

  test('of its own leaves a started write done, and the next apply goes on from there', async () => {
    const vmm = await bench.standIn()
    const vcpus = await vmm.start(2)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
    const reason = new Error('changed my mind')
    const controller = new AbortController()
    const applying = onOperation(
      () => controller.abort(reason),
      () => sandbox.apply({ signal: controller.signal }),
    )
    await expect(applying).rejects.toBe(reason)
    expect(exists(`${bench.parent}/vm/vcpu`)).toBe(true)
    expect(placeOf(vmm.pid)).toEqual(placeOf(process.pid))
    expect((await sandbox.apply()).placed).toEqual(vcpus)
  })
})

describeWith(['root', 'cgroups'], 'a signal that is aborted already', () => {
  const reason = new Error('changed my mind')
  const signal = AbortSignal.abort(reason)

  test('keeps create from making anything', async () => {
    const creating = bench.sandbox({ signal })
    await expect(creating).rejects.toBe(reason)
    expect(readdirSync(bench.stateDir)).toEqual([])
  })

  test('keeps every acting method from writing anything', async () => {
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    const done = await operationsDuring(async () => {
      const hypervisor = hypervisorOf(process.pid, () => [])
      await expect(sandbox.attach(hypervisor, { signal })).rejects.toBe(reason)
      await expect(sandbox.add(process.pid, { signal })).rejects.toBe(reason)
      await expect(sandbox.plan({ signal })).rejects.toBe(reason)
      await expect(sandbox.apply({ signal })).rejects.toBe(reason)
      await expect(sandbox.refresh({ signal })).rejects.toBe(reason)
      await expect(sandbox.stats({ signal })).rejects.toBe(reason)
      await expect(sandbox.destroy({ signal })).rejects.toBe(reason)
    })
    expect(done).toEqual([])
    expect(exists(bench.parent)).toBe(false)
    await sandbox.apply()
    expect(exists(`${bench.parent}/vm/vcpu`)).toBe(true)
  })
})
