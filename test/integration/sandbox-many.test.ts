import { Bench, container } from '../support/bench'
import { CONTROLLERS, cgroupsBelow, everywhere, placeOf, removeCgroups, threadsIn } from '../support/cgroups'
import { describeWith } from '../support/require'
import { patience, rounds } from '../support/scale'
import { hypervisorOf } from '../support/stand-in'

jest.setTimeout(patience(120_000))

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

const LIMITS = container({ quota: 50_000, period: 100_000, cpus: '0' })

describeWith(['root', 'cgroups', 'python'], 'two sandboxes under one parent', () => {
  test('are made, placed and destroyed at the same time, over and over, each for itself', async () => {
    const vms = await Promise.all(
      ['a', 'b'].map(async (id) => {
        const vmm = await bench.standIn()
        return { id, vmm, vcpus: await vmm.start(2) }
      }),
    )
    for (let round = 0; round < rounds(20, 3); round += 1) {
      const sandboxes = await Promise.all(
        vms.map(async ({ id, vmm, vcpus }) => {
          const sandbox = await bench.sandbox({ id, containers: [LIMITS] })
          await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
          await sandbox.apply()
          return sandbox
        }),
      )
      for (const { id, vmm, vcpus } of vms) {
        expect(placeOf(vmm.pid)).toEqual(everywhere(`${bench.parent}/${id}`))
        for (const controller of CONTROLLERS) {
          expect(threadsIn(`${bench.parent}/${id}/vcpu`, controller)).toEqual(vcpus)
        }
      }
      await Promise.all(sandboxes.map((sandbox) => sandbox.destroy()))
      for (const controller of CONTROLLERS) {
        expect(cgroupsBelow(controller, bench.parent)).toEqual([bench.parent])
      }
      // So that the next round races for the parent as well.
      await removeCgroups(bench.parent)
    }
  })

  test('do not disturb each other: one is destroyed while the other one is refreshed', async () => {
    const [vmmA, vmmB] = [await bench.standIn(), await bench.standIn()]
    const [vcpusA, vcpusB] = [await vmmA.start(2), await vmmB.start(2)]
    const staying = await bench.sandbox({ id: 'a', containers: [LIMITS] })
    await staying.attach(hypervisorOf(vmmA.pid, () => vcpusA))
    await staying.apply()
    for (let round = 0; round < rounds(10, 2); round += 1) {
      const leaving = await bench.sandbox({ id: 'b', containers: [LIMITS] })
      await leaving.attach(hypervisorOf(vmmB.pid, () => vcpusB))
      await leaving.apply()
      const [, report] = await Promise.all([leaving.destroy(), staying.refresh()])
      expect(report.isChanged).toBe(false)
    }
    for (const tid of vcpusA) expect(placeOf(tid)).toEqual(everywhere(`${bench.parent}/a/vcpu`))
  })
})
