import { readdirSync } from 'node:fs'
import { QemuHypervisor } from '../../src/hypervisor/qemu'
import { CgroupManager } from '../../src/manager'
import { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import { CONTROLLERS, exists, placeOf, threadsIn, threadsOf } from '../support/cgroups'
import { holdings } from '../support/leaks'
import { cgroupsOf, MANAGED, ManagerBench } from '../support/manager-bench'
import { describeWith } from '../support/require'
import { patience, rounds } from '../support/scale'

jest.setTimeout(patience(120_000))

/** Most of what a first life allocates is kept for the next ones. */
async function expectNothingGrows(full: number, live: () => Promise<void>): Promise<void> {
  for (let round = 0; round < rounds(full / 5, 5); round += 1) await live()
  const before = holdings()
  for (let round = 0; round < rounds((full / 5) * 4, 10); round += 1) await live()
  const after = holdings()

  const { descriptors, threads, children } = before
  expect(after).toMatchObject({ descriptors, threads, children })
  expect(after.jsBytes - before.jsBytes).toBeLessThan(4 * 2 ** 20)
  expect(after.residentBytes - before.residentBytes).toBeLessThan(48 * 2 ** 20)
}

describeWith(['root', 'cgroups', 'qemu'], '200 lives of a sandbox around one QEMU', () => {
  let bench: Bench

  beforeEach(() => {
    bench = new Bench()
  })
  afterEach(() => bench.clear())

  test('leave no cgroup, file, descriptor, process, thread or growing memory', async () => {
    const qemu = await bench.qemu({ iothreads: 1 })
    const { parent, stateDir } = bench
    const containers = [container({ quota: 50_000, period: 100_000, cpus: '0' })]
    // Not by the bench, which would remember each of them until the end.
    await expectNothingGrows(200, async () => {
      const hypervisor = await QemuHypervisor.connect({ socket: qemu.sockets[0], timeoutMs: patience(5000) })
      const sandbox = await Sandbox.create({ id: 'vm', parent, stateDir, containers })
      await sandbox.attach(hypervisor)
      expect((await sandbox.apply()).placed).toHaveLength(4)
      await sandbox.destroy()
      await sandbox.close()
    })
    expect(readdirSync(stateDir)).toEqual([])
    for (const controller of CONTROLLERS) {
      expect(exists(`${parent}/vm`, controller)).toBe(false)
      expect(threadsIn(parent, controller)).toEqual([])
    }
    for (const { tid } of threadsOf(qemu.pid)) expect(placeOf(tid)).toEqual(placeOf(process.pid))
  })
})

describeWith(['root', 'cgroups'], '500 lives of a managed cgroup', () => {
  let bench: ManagerBench

  beforeEach(() => {
    bench = new ManagerBench()
  })
  afterEach(() => bench.clear())

  test('leave no cgroup, file, descriptor, process, thread or growing memory', async () => {
    const child = await bench.child(['sleep', '1000'])
    const origin = cgroupsOf(child.pid)
    const { parent, stateDir } = bench
    const resources = {
      cpu: { quota: 100_000 },
      pids: { limit: 100 },
      memory: { limit: 100 * 2 ** 20 },
      devices: [{ allow: false, access: 'rwm' }],
    }
    await expectNothingGrows(500, async () => {
      const manager = await CgroupManager.create({ cgroupsPath: `${parent}/one`, stateDir })
      await manager.add(child.pid)
      await manager.apply(resources)
      await manager.destroy()
      await manager.close()
    })
    expect(readdirSync(stateDir)).toEqual([])
    for (const name of Object.keys(MANAGED)) {
      expect([name, bench.exists(name)]).toEqual([name, false])
      const left = readdirSync(bench.directory(name, parent), { withFileTypes: true })
      expect(left.filter((entry) => entry.isDirectory())).toEqual([])
    }
    expect(cgroupsOf(child.pid)).toEqual(origin)
  })
})
