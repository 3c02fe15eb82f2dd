import { setTimeout as sleep } from 'node:timers/promises'
import type { QemuHypervisor } from '../../src/hypervisor/qemu'
import type { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import { cpusOf, quotaOf, threadsWeight, throttledPeriods, usageUs, weightOf } from '../support/cgroup-limits'
import {
  CONTROLLERS,
  everywhere,
  hierarchiesWith,
  kernelThreadsFor,
  placeOf,
  threadsIn,
  threadsOf,
} from '../support/cgroups'
import { type Qemu, type QemuSettings, VCPU_NAME } from '../support/qemu'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'

jest.setTimeout(patience(90_000))

/** Where threads are placed one by one. */
const hierarchies = () => hierarchiesWith().map(({ id }) => id)

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

interface Vm {
  readonly qemu: Qemu
  readonly hypervisor: QemuHypervisor
  readonly sandbox: Sandbox
}

/** A spinning QEMU, attached to a sandbox of 50000/100000 us whose container also asks for CPUs. */
async function attached(settings: QemuSettings): Promise<Vm> {
  const qemu = await bench.qemu(settings)
  await qemu.waitForSpin()
  const hypervisor = await bench.connect(qemu)
  const sandbox = await bench.sandbox({
    containers: [container({ quota: 50_000, period: 100_000, cpus: '0' })],
  })
  await sandbox.attach(hypervisor)
  return { qemu, hypervisor, sandbox }
}

function tidsNamed(pid: number, name: RegExp): number[] {
  return threadsOf(pid)
    .filter((thread) => name.test(thread.name))
    .map(({ tid }) => tid)
    .sort((a, b) => a - b)
}

/** The vCPU threads are in the leaf, all others that work for it are in the sandbox, and nobody else is in either. */
function expectPlaced(pid: number, vcpus: readonly number[]): void {
  const others = [...threadsOf(pid).map(({ tid }) => tid), ...kernelThreadsFor(pid)]
    .filter((tid) => !vcpus.includes(tid))
    .sort((a, b) => a - b)
  for (const controller of CONTROLLERS) {
    expect(threadsIn(`${bench.parent}/vm/vcpu`, controller)).toEqual(vcpus)
    expect(threadsIn(`${bench.parent}/vm`, controller)).toEqual(others)
  }
}

describeWith(['root', 'cgroups', 'qemu'], 'the threads of a QEMU', () => {
  test('are placed by role: vCPUs in the leaf, everything else in the sandbox', async () => {
    const { qemu, sandbox } = await attached({ iothreads: 1 })
    const report = await sandbox.apply()
    const vcpus = tidsNamed(qemu.pid, VCPU_NAME)
    expect(vcpus).toHaveLength(4)
    expectPlaced(qemu.pid, vcpus)
    expect(report).toMatchObject({ isChanged: true, placed: vcpus, left: [], warnings: [] })
    for (const emulator of [qemu.pid, ...tidsNamed(qemu.pid, /^IO iothread0$/)]) {
      expect(placeOf(emulator)).toEqual(everywhere(`${bench.parent}/vm`))
    }
  })

  test('are held to the quota in the leaf only, with the weight of a thread for each vCPU', async () => {
    const { sandbox } = await attached({})
    await sandbox.apply()
    const leaf = `${bench.parent}/vm/vcpu`
    expect(quotaOf(leaf)).toEqual({ quota: 50_000, period: 100_000 })
    expect(weightOf(leaf)).toBe(threadsWeight(4))
    expect(cpusOf(leaf)).toBe('0')
    expect(quotaOf(`${bench.parent}/vm`)).toEqual({ quota: null, period: 100_000 })
    expect(weightOf(`${bench.parent}/vm`)).toBe(threadsWeight(1))
  })

  test('follow a hotplug: the new vCPU is placed by the next refresh, and the weight grows with it', async () => {
    const { qemu, hypervisor, sandbox } = await attached({ smp: 2, maxcpus: 4 })
    await sandbox.apply()
    const before = tidsNamed(qemu.pid, VCPU_NAME)
    expect(weightOf(`${bench.parent}/vm/vcpu`)).toBe(threadsWeight(2))
    const cpu = { driver: 'qemu64-x86_64-cpu', id: 'cpu2', 'socket-id': 0, 'core-id': 2, 'thread-id': 0 }
    await hypervisor.execute('device_add', cpu)
    const after = tidsNamed(qemu.pid, VCPU_NAME)
    const [plugged = 0, ...more] = after.filter((tid) => !before.includes(tid))
    expect(more).toEqual([])
    expect(placeOf(plugged)).toEqual(everywhere(`${bench.parent}/vm`))

    expect((await sandbox.refresh()).placed).toEqual([plugged])
    expectPlaced(qemu.pid, after)
    expect(weightOf(`${bench.parent}/vm/vcpu`)).toBe(threadsWeight(3))
    expect(quotaOf(`${bench.parent}/vm/vcpu`)).toEqual({ quota: 50_000, period: 100_000 })
  })

  test('are throttled in the leaf alone, and the statistics say what the kernel says', async () => {
    const { sandbox } = await attached({ iothreads: 1 })
    sandbox.setContainer(container({ quota: 5_000, period: 100_000 }))
    await sandbox.apply()
    const leaf = `${bench.parent}/vm/vcpu`
    while (throttledPeriods(leaf) < 3) await sleep(50)
    const [throttledBefore, usageBefore] = [throttledPeriods(leaf), usageUs(leaf)]
    const { vcpu, emulator, threads } = await sandbox.stats()
    expect(threads).toEqual({ vcpu: 4, emulator: threadsIn(`${bench.parent}/vm`).length })
    expect(vcpu).toMatchObject({ quotaUs: 5_000, periodUs: 100_000 })
    expect(vcpu.throttling.throttledPeriods).toBeGreaterThanOrEqual(throttledBefore)
    expect(vcpu.throttling.throttledPeriods).toBeLessThanOrEqual(throttledPeriods(leaf))
    expect(vcpu.usageUs).toBeGreaterThanOrEqual(Math.floor(usageBefore))
    expect(vcpu.usageUs).toBeLessThanOrEqual(usageUs(leaf))
    expect(emulator.throttling.throttledPeriods).toBe(0)
    expect(throttledPeriods(`${bench.parent}/vm`)).toBe(0)
  })

  test('have no directories made for them in hierarchies that are granular to the process', async () => {
    const { sandbox } = await attached({})
    const report = await sandbox.apply()
    const used = new Set(report.operations.map(({ operation }) => operation.hierarchy))
    expect([...used].sort()).toEqual(hierarchies().sort())
  })
})

describeWith(['root', 'cgroups', 'qemu', 'kvm'], 'the threads of a QEMU under KVM', () => {
  test("take the kernel's own worker along, out of the leaf that it was born in", async () => {
    const qemu = await bench.qemu({ args: ['-S'] })
    const hypervisor = await bench.connect(qemu)
    const sandbox = await bench.sandbox({ containers: [container({ cpus: '0' })] })
    await sandbox.attach(hypervisor)
    await sandbox.apply()
    await hypervisor.execute('cont')
    await qemu.waitForSpin()
    const [worker] = tidsNamed(qemu.pid, /^kvm-nx-lpage-re$/)
    // Before Linux 6.13 it is no thread of QEMU's.
    if (worker === undefined) return
    expect(placeOf(worker)).toEqual(everywhere(`${bench.parent}/vm/vcpu`))
    await sandbox.refresh()
    expect(placeOf(worker)).toEqual(everywhere(`${bench.parent}/vm`))
    expectPlaced(qemu.pid, tidsNamed(qemu.pid, VCPU_NAME))
  })
})

describeWith(['root', 'cgroups', 'qemu'], 'the threads of a QEMU without KVM', () => {
  test('are placed by role with thread=multi', async () => {
    const { qemu, sandbox } = await attached({ accel: 'tcg,thread=multi' })
    await sandbox.apply()
    const vcpus = tidsNamed(qemu.pid, /^CPU \d\/TCG$/)
    expect(vcpus).toHaveLength(4)
    expectPlaced(qemu.pid, vcpus)
    expect(weightOf(`${bench.parent}/vm/vcpu`)).toBe(threadsWeight(4))
  })

  test('have one thread in the leaf with thread=single, which runs all vCPUs and weighs as one', async () => {
    const { qemu, sandbox } = await attached({ accel: 'tcg,thread=single' })
    const report = await sandbox.apply()
    const vcpus = tidsNamed(qemu.pid, /^ALL CPUs\/TCG$/)
    expect(vcpus).toHaveLength(1)
    expectPlaced(qemu.pid, vcpus)
    expect(report.placed).toEqual(vcpus)
    expect(weightOf(`${bench.parent}/vm/vcpu`)).toBe(threadsWeight(1))
    const written = report.operations.flatMap(({ ids }) => ids).filter(({ id }) => id === vcpus[0])
    expect(written).toHaveLength(hierarchies().length)
  })
})

describeWith(['root', 'cgroups', 'python', 'cgroupfs-driver'], 'a helper of the VM', () => {
  test('comes in with the first apply, or at once where that has been', async () => {
    const [early, late] = [await bench.standIn(), await bench.standIn()]
    const [thread = 0] = await late.start(1)
    const sandbox = await bench.sandbox({ containers: [container({ cpus: '0' })] })
    expect(await sandbox.add(early.pid)).toBeUndefined()
    expect(placeOf(early.pid)).toEqual(placeOf(process.pid))
    await sandbox.apply()
    expect(placeOf(early.pid)).toEqual(everywhere(`${bench.parent}/vm`))
    await sandbox.add(late.pid)
    for (const tid of [late.pid, thread]) expect(placeOf(tid)).toEqual(everywhere(`${bench.parent}/vm`))
    expect((await sandbox.add(late.pid))?.isChanged).toBe(false)
  })

  test('has to be alive', async () => {
    const helper = await bench.standIn()
    await helper.kill()
    const sandbox = await bench.sandbox()
    await expect(sandbox.add(helper.pid)).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
    await expect(sandbox.add(0)).rejects.toMatchObject({ code: 'ERR_VMCG_INVALID_ARGUMENT' })
  })
})

describeWith(['root', 'cgroups', 'qemu', 'unshare'], 'a QEMU in a pid namespace of its own', () => {
  test("has its threads placed by this host's ids", async () => {
    const { qemu, sandbox } = await attached({ unshare: true, iothreads: 1 })
    await sandbox.apply()
    const vcpus = tidsNamed(qemu.pid, VCPU_NAME)
    expect(vcpus).toHaveLength(4)
    expectPlaced(qemu.pid, vcpus)
  })
})
