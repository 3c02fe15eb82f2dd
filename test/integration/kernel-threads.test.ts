import { existsSync, readFileSync } from 'node:fs'
import { Roots } from '../../src/engine/lane'
import { kernelThreadsOf } from '../../src/host/kernel-threads'
import { Bench, container } from '../support/bench'
import { everywhere, kernelThreadsFor, placeOf, threadsIn, threadsOf } from '../support/cgroups'
import { describeWhere, describeWith } from '../support/require'
import { patience } from '../support/scale'

jest.setTimeout(patience(60_000))

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

describeWith(['root', 'cgroups', 'kvm', 'qemu'], "the kernel's threads that work for a VMM", () => {
  test('are found by its pid', async () => {
    const qemu = await bench.qemu()
    // It answers once its machine has been made.
    const hypervisor = await bench.connect(qemu)
    const pid = hypervisor.pid()
    const found = await kernelThreads(pid)
    expect(found.map(nameOf)).toContain(`kvm-pit/${pid}`)
  })

  test('are none for a process that is no VMM', async () => {
    expect(await kernelThreads(process.pid)).toEqual([])
  })

  test('are placed with its other threads, and go back to where they were', async () => {
    const qemu = await bench.qemu()
    const hypervisor = await bench.connect(qemu)
    const [pit = 0] = await kernelThreads(qemu.pid)
    const home = placeOf(pit).cpu
    const sandbox = await bench.sandbox()
    await sandbox.attach(hypervisor)
    await sandbox.apply()
    expect(threadsIn(`${bench.parent}/vm`)).toContain(pit)
    expect((await sandbox.threads()).find(({ tid }) => tid === pit)?.role).toBe('helper')
    const { moved } = await sandbox.destroy()
    expect(moved.map(({ tid }) => tid)).toContain(pit)
    expect(threadsIn(home)).toContain(pit)
  })
})

/** The devices whose work the kernel does in a thread, and how a QEMU is given one. */
const VHOST = [
  ['vhost-vsock', ['-device', `vhost-vsock-pci,guest-cid=${1000 + process.pid}`]],
  // The interface goes with the QEMU, and is never up.
  ['vhost-net', ['-netdev', `tap,id=net0,ifname=vmcg${process.pid},script=no,downscript=no,vhost=on`]],
] as const

for (const [device, args] of VHOST) {
  describeWhere(existsSync(`/dev/${device}`), device, `what the kernel does for a VM by ${device}`, () => {
    describeWith(['root', 'cgroups', 'qemu'], 'is the work of a thread that', () => {
      test('is placed beside the emulator, never with the vCPUs, and goes back to where it was', async () => {
        const qemu = await bench.qemu({ args })
        const hypervisor = await bench.connect(qemu)
        // Since Linux 6.4 it is one of QEMU's own.
        const own = threadsOf(qemu.pid).filter(({ name }) => name === `vhost-${qemu.pid}`)
        const others = kernelThreadsFor(qemu.pid).filter((thread) => nameOf(thread) === `vhost-${qemu.pid}`)
        const [worker = 0] = [...own.map(({ tid }) => tid), ...others]
        expect(worker).toBeGreaterThan(0)
        const home = placeOf(worker)
        const sandbox = await bench.sandbox({ containers: [container({ quota: 50_000, cpus: '0' })] })
        await sandbox.attach(hypervisor)
        await sandbox.apply()
        expect(placeOf(worker)).toEqual(everywhere(`${bench.parent}/vm`))
        await sandbox.destroy()
        expect(placeOf(worker)).toEqual(home)
      })
    })
  })
}

function nameOf(thread: number): string {
  return readFileSync(`/proc/${thread}/comm`, 'utf8').trimEnd()
}

async function kernelThreads(pid: number): Promise<readonly number[]> {
  const roots = new Roots()
  try {
    return await kernelThreadsOf(roots, pid)
  } finally {
    roots.close()
  }
}
