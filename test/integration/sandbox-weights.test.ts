import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { QemuHypervisor } from '../../src/hypervisor/qemu'
import { Bench } from '../support/bench'
import { setWeight, threadsWeight } from '../support/cgroup-limits'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'
import { startSpinVm } from '../support/spinvm'

jest.setTimeout(patience(90_000))

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

/** Time on a CPU in nanoseconds: the first field of /proc/<pid>/task/<tid>/schedstat. */
function cpuTime(pid: number, tid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0])
}

/**
 * What the vCPUs get of all that the VM gets, over three seconds. What else runs on the CPU takes from both sides
 * alike, so a busy host does not change it.
 */
async function vcpuShare(pid: number, vcpus: readonly number[], iothread: number): Promise<number> {
  const times = () =>
    [vcpus.reduce((sum, tid) => sum + cpuTime(pid, tid), 0), cpuTime(pid, iothread)] as const
  const [vcpusBefore, iothreadBefore] = times()
  await sleep(3000)
  const [vcpusAfter, iothreadAfter] = times()
  const used = vcpusAfter - vcpusBefore
  return used / (used + iothreadAfter - iothreadBefore)
}

describeWith(['root', 'cgroups', 'spinvm', 'taskset'], 'four busy vCPUs beside a busy iothread', () => {
  test('keep their share of one CPU through placement, which they would lose with the default weight', async () => {
    const vm = startSpinVm(['--smp', '4', '--iothread', 'io0', '--busy-iothread', '--no-kvm'])
    bench.atEnd(() => vm.stop())
    const wire = await vm.connect()
    wire.close()
    const hypervisor = await QemuHypervisor.connect({ socket: vm.socket, timeoutMs: patience(5000) })
    const threads = await hypervisor.threads()
    const vcpus = [...threads.vcpus.values()]
    const iothread = threads.iothreads.get('io0') ?? 0
    execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', '0', String(vm.pid)])

    const before = await vcpuShare(vm.pid, vcpus, iothread)
    const sandbox = await bench.sandbox()
    await sandbox.attach(hypervisor)
    await sandbox.apply()
    const placed = await vcpuShare(vm.pid, vcpus, iothread)
    setWeight(`${bench.parent}/vm/vcpu`, threadsWeight(1))
    const withDefaultWeight = await vcpuShare(vm.pid, vcpus, iothread)

    expect(Math.abs(placed - before)).toBeLessThan(0.05)
    expect(Math.abs(placed - 0.8)).toBeLessThan(0.05)
    expect(withDefaultWeight).toBeLessThan(0.6)
  })
})
