import { setTimeout as sleep } from 'node:timers/promises'
import type { QemuHypervisor } from '../../src/hypervisor/qemu'
import type { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import {
  CONTROLLERS,
  everywhere,
  hierarchyOf,
  placeOf,
  readKnob,
  tasksOf,
  threadsOf,
} from '../support/cgroup-v1'
import type { Qemu, QemuSettings } from '../support/qemu'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'

jest.setTimeout(patience(90_000))

/** Where threads are placed one by one. */
const HIERARCHIES = [...new Set(CONTROLLERS.map(hierarchyOf))].sort()

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

/** The vCPU threads are in the leaf, all others of the process are in the sandbox, and nobody else is in either. */
function expectPlaced(pid: number, vcpus: readonly number[]): void {
  const others = threadsOf(pid)
    .map(({ tid }) => tid)
    .filter((tid) => !vcpus.includes(tid))
    .sort((a, b) => a - b)
  for (const controller of CONTROLLERS) {
    expect(tasksOf(controller, `${bench.parent}/vm/vcpu`)).toEqual(vcpus)
    expect(tasksOf(controller, `${bench.parent}/vm`)).toEqual(others)
  }
}

describeWith(['root', 'cgroup-v1', 'qemu', 'kvm'], 'the threads of a QEMU under KVM', () => {
  test('are placed by role: vCPUs in the leaf, everything else in the sandbox', async () => {
    const { qemu, sandbox } = await attached({ iothreads: 1 })
    const report = await sandbox.apply()
    const vcpus = tidsNamed(qemu.pid, /^CPU \d\/KVM$/)
    expect(vcpus).toHaveLength(4)
    expectPlaced(qemu.pid, vcpus)
    expect(report).toMatchObject({ isChanged: true, placed: vcpus, left: [], warnings: [] })
    for (const emulator of [qemu.pid, ...tidsNamed(qemu.pid, /^IO iothread0$/)]) {
      expect(placeOf(emulator)).toEqual(everywhere(`${bench.parent}/vm`))
    }
  })

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
    expectPlaced(qemu.pid, tidsNamed(qemu.pid, /^CPU \d\/KVM$/))
  })

  test('are held to the quota in the leaf only, with the weight of a thread for each vCPU', async () => {
    const { sandbox } = await attached({})
    await sandbox.apply()
    const leaf = `${bench.parent}/vm/vcpu`
    expect(readKnob('cpu', leaf, 'cpu.cfs_quota_us')).toBe('50000')
    expect(readKnob('cpu', leaf, 'cpu.cfs_period_us')).toBe('100000')
    expect(readKnob('cpu', leaf, 'cpu.shares')).toBe('4096')
    expect(readKnob('cpuset', leaf, 'cpuset.cpus')).toBe('0')
    expect(readKnob('cpu', `${bench.parent}/vm`, 'cpu.cfs_quota_us')).toBe('-1')
    expect(readKnob('cpu', `${bench.parent}/vm`, 'cpu.shares')).toBe('1024')
  })

  test('follow a hotplug: the new vCPU is placed by the next refresh, and the weight grows with it', async () => {
    const { qemu, hypervisor, sandbox } = await attached({ smp: 2, maxcpus: 4 })
    await sandbox.apply()
    const before = tidsNamed(qemu.pid, /^CPU \d\/KVM$/)
    expect(readKnob('cpu', `${bench.parent}/vm/vcpu`, 'cpu.shares')).toBe('2048')
    const cpu = { driver: 'qemu64-x86_64-cpu', id: 'cpu2', 'socket-id': 0, 'core-id': 2, 'thread-id': 0 }
    await hypervisor.execute('device_add', cpu)
    const after = tidsNamed(qemu.pid, /^CPU \d\/KVM$/)
    const [plugged = 0, ...more] = after.filter((tid) => !before.includes(tid))
    expect(more).toEqual([])
    expect(placeOf(plugged)).toEqual(everywhere(`${bench.parent}/vm`))

    expect((await sandbox.refresh()).placed).toEqual([plugged])
    expectPlaced(qemu.pid, after)
    expect(readKnob('cpu', `${bench.parent}/vm/vcpu`, 'cpu.shares')).toBe('3072')
    expect(readKnob('cpu', `${bench.parent}/vm/vcpu`, 'cpu.cfs_quota_us')).toBe('50000')
  })

  test('are throttled in the leaf alone, and the statistics say what the kernel says', async () => {
    const { sandbox } = await attached({ iothreads: 1 })
    sandbox.setContainer(container({ quota: 5_000, period: 100_000 }))
    await sandbox.apply()
    const leaf = `${bench.parent}/vm/vcpu`
    const throttled = (path: string) =>
      Number(/nr_throttled (\d+)/.exec(readKnob('cpu', path, 'cpu.stat'))?.[1])
    while (throttled(leaf) < 3) await sleep(50)
    const usage = () => Number(readKnob('cpuacct', leaf, 'cpuacct.usage')) / 1000
    const [throttledBefore, usageBefore] = [throttled(leaf), usage()]
    const { vcpu, emulator } = await sandbox.stats()
    expect(vcpu).toMatchObject({ threads: 4, quotaUs: 5_000, periodUs: 100_000 })
    expect(vcpu.throttling.throttledPeriods).toBeGreaterThanOrEqual(throttledBefore)
    expect(vcpu.throttling.throttledPeriods).toBeLessThanOrEqual(throttled(leaf))
    expect(vcpu.usageUs).toBeGreaterThanOrEqual(Math.floor(usageBefore))
    expect(vcpu.usageUs).toBeLessThanOrEqual(usage())
    expect(emulator.threads).toBe(tasksOf('cpu', `${bench.parent}/vm`).length)
    expect(emulator.throttling.throttledPeriods).toBe(0)
    expect(throttled(`${bench.parent}/vm`)).toBe(0)
  })

  test('have no directories made for them in hierarchies that are granular to the process', async () => {
    const { sandbox } = await attached({})
    const report = await sandbox.apply()
    const used = new Set(report.operations.map(({ operation }) => operation.hierarchy))
    expect([...used].sort()).toEqual(HIERARCHIES)
  })
})

describeWith(['root', 'cgroup-v1', 'qemu'], 'the threads of a QEMU without KVM', () => {
  test('are placed by role with thread=multi', async () => {
    const { qemu, sandbox } = await attached({ accel: 'tcg,thread=multi' })
    await sandbox.apply()
    const vcpus = tidsNamed(qemu.pid, /^CPU \d\/TCG$/)
    expect(vcpus).toHaveLength(4)
    expectPlaced(qemu.pid, vcpus)
    expect(readKnob('cpu', `${bench.parent}/vm/vcpu`, 'cpu.shares')).toBe('4096')
  })

  test('have one thread in the leaf with thread=single, which runs all vCPUs and weighs as one', async () => {
    const { qemu, sandbox } = await attached({ accel: 'tcg,thread=single' })
    const report = await sandbox.apply()
    const vcpus = tidsNamed(qemu.pid, /^ALL CPUs\/TCG$/)
    expect(vcpus).toHaveLength(1)
    expectPlaced(qemu.pid, vcpus)
    expect(report.placed).toEqual(vcpus)
    expect(readKnob('cpu', `${bench.parent}/vm/vcpu`, 'cpu.shares')).toBe('1024')
    const written = report.operations.flatMap(({ ids }) => ids).filter(({ id }) => id === vcpus[0])
    expect(written).toHaveLength(HIERARCHIES.length)
  })
})

describeWith(['root', 'cgroup-v1', 'python'], 'a helper of the VM', () => {
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

describeWith(['root', 'cgroup-v1', 'qemu', 'kvm', 'unshare'], 'a QEMU in a pid namespace of its own', () => {
  test("has its threads placed by this host's ids", async () => {
    const { qemu, sandbox } = await attached({ unshare: true, iothreads: 1 })
    await sandbox.apply()
    const vcpus = tidsNamed(qemu.pid, /^CPU \d\/KVM$/)
    expect(vcpus).toHaveLength(4)
    expectPlaced(qemu.pid, vcpus)
  })
})
