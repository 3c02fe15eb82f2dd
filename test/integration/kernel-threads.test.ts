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
    expect(found.map((thread) => readFileSync(`/proc/${thread}/comm`, 'utf8').trimEnd())).toContain(
      `kvm-pit/${pid}`,
    )
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

describeWhere(
  existsSync('/dev/vhost-vsock'),
  'vhost-vsock',
  "what the kernel does for a VM's sockets",
  () => {
    describeWith(['root', 'cgroups', 'qemu'], 'is the work of a thread that', () => {
      test('is placed beside the emulator, never with the vCPUs, and goes back to where it was', async () => {
        const cid = 1000 + process.pid
        const qemu = await bench.qemu({ args: ['-device', `vhost-vsock-pci,guest-cid=${cid}`] })
        const hypervisor = await bench.connect(qemu)
        // Since Linux 6.4 it is one of QEMU's own.
        const own = threadsOf(qemu.pid).filter(({ name }) => name === `vhost-${qemu.pid}`)
        const [worker = 0] = [...own.map(({ tid }) => tid), ...kernelThreadsFor(qemu.pid)]
        const home = placeOf(worker)
        const sandbox = await bench.sandbox({ containers: [container({ quota: 50_000, cpus: '0' })] })
        await sandbox.attach(hypervisor)
        await sandbox.apply()
        expect(placeOf(worker)).toEqual(everywhere(`${bench.parent}/vm`))
        await sandbox.destroy()
        expect(placeOf(worker)).toEqual(home)
      })
    })
  },
)

async function kernelThreads(pid: number): Promise<readonly number[]> {
  const roots = new Roots()
  try {
    return await kernelThreadsOf(roots, pid)
  } finally {
    roots.close()
  }
}
