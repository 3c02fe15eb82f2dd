import { Bench, container } from '../support/bench'
import { knobOf, threadsWeight } from '../support/cgroup-limits'
import { CONTROLLERS, everywhere, exists, hierarchyOf, placeOf, threadsIn } from '../support/cgroups'
import { IS_WITH_SYSTEMD, untilScopeIsGone } from '../support/driver'
import { onOperation } from '../support/operations'
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

function expectGone(path: string): void {
  for (const controller of CONTROLLERS) expect(exists(path, controller)).toBe(false)
}

describeWith(['root', 'cgroups', 'python'], 'a vCPU thread that ends', () => {
  test('before it is looked for is reported, and the vCPUs around it are placed', async () => {
    const vmm = await bench.standIn()
    const [first = 0, dead = 0, last = 0] = await vmm.start(3)
    vmm.end(dead)
    waitUntilGone(dead)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => [first, dead, last]))
    const report = await sandbox.apply()
    expect(report).toMatchObject({ placed: [first, last], vanished: [dead], left: [] })
    for (const tid of [first, last]) expect(placeOf(tid)).toEqual(everywhere(`${bench.parent}/vm/vcpu`))
  })

  test('between the look and the write is reported, and the vCPUs around it are placed', async () => {
    const vmm = await bench.standIn()
    const [first = 0, dying = 0, last = 0] = await vmm.start(3)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => [first, dying, last]))
    let isTold = false
    const report = await onOperation(
      ({ operation }) => {
        if (isTold || operation.kind !== 'write-knob') return
        isTold = true
        vmm.end(dying)
        waitUntilGone(dying)
      },
      () => sandbox.apply(),
    )
    const refused = report.operations.flatMap(({ ids }) => ids).filter(({ errno }) => errno !== 0)
    expect(refused).toContainEqual({ id: dying, errno: 3 })
    expect(report).toMatchObject({ placed: [first, last], vanished: [dying], left: [] })
    for (const controller of CONTROLLERS) {
      expect(threadsIn(`${bench.parent}/vm/vcpu`, controller)).toEqual([first, last])
    }
  })

  test('has no part in the weight any more after the next refresh', async () => {
    const vmm = await bench.standIn()
    const [first = 0, second = 0] = await vmm.start(2)
    const vcpus = [first, second]
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
    await sandbox.apply()
    vcpus.pop()
    vmm.end(second)
    waitUntilGone(second)
    const { operations } = await sandbox.refresh()
    expect(operations.map(({ operation }) => operation)).toEqual([
      expect.objectContaining({
        kind: 'write-knob',
        knob: knobOf('weight'),
        value: String(threadsWeight(1)),
        previous: String(threadsWeight(2)),
      }),
    ])
  })
})

describeWith(['root', 'cgroups', 'python'], 'a VMM without vCPU threads', () => {
  test('is placed with a warning, not an error', async () => {
    const vmm = await bench.standIn()
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => []))
    const { warnings } = await sandbox.apply()
    expect(warnings).toEqual([expect.stringContaining('no vCPU threads')])
    expect(placeOf(vmm.pid)).toEqual(everywhere(`${bench.parent}/vm`))
  })
})

describeWith(['root', 'cgroups', 'python'], 'a VMM that is added as a helper as well', () => {
  test('stays the VMM, with its vCPUs in the leaf', async () => {
    const vmm = await bench.standIn()
    const vcpus = await vmm.start(2)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
    await sandbox.add(vmm.pid)
    expect(await sandbox.apply()).toMatchObject({ placed: vcpus, vanished: [], left: [] })
    expect(threadsIn(`${bench.parent}/vm/vcpu`)).toEqual(vcpus)
  })
})

describeWith(['root', 'cgroups', 'qemu'], 'a QEMU that is killed', () => {
  test('between attach and apply is an error of its own, and leaves nothing to destroy', async () => {
    const qemu = await bench.qemu()
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(await bench.connect(qemu))
    await qemu.kill()
    await expect(sandbox.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
    if (IS_WITH_SYSTEMD) await untilScopeIsGone(bench.parent)
    expectGone(`${bench.parent}/vm`)
    expect(await sandbox.destroy()).toMatchObject({ moved: [], removed: [] })
  })

  test('after it was placed lets destroy remove everything', async () => {
    const qemu = await bench.qemu()
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(await bench.connect(qemu))
    await sandbox.apply()
    await qemu.kill()
    await expect(sandbox.refresh()).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
    expect((await sandbox.destroy()).moved).toEqual([])
    expectGone(`${bench.parent}/vm`)
  })

  test('can be followed by another one in the same sandbox', async () => {
    const [first, second] = [await bench.qemu(), await bench.qemu()]
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(await bench.connect(first))
    await sandbox.apply()
    await first.kill()
    await sandbox.attach(await bench.connect(second))
    const { placed } = await sandbox.apply()
    expect(placed).toHaveLength(4)
    expect(threadsIn(`${bench.parent}/vm/vcpu`)).toEqual(placed)
  })
})

/** A scope of systemd would be gone with it. */
describeWith(
  ['root', 'cgroups', 'qemu', 'cgroupfs-driver'],
  'a QEMU that is killed in the middle of apply()',
  () => {
    test('between the look and the write is the same error, and destroy removes what was made', async () => {
      const qemu = await bench.qemu()
      const sandbox = await bench.sandbox({ containers: [LIMITS] })
      await sandbox.attach(await bench.connect(qemu))
      const dying = onOperation(
        ({ operation }) => {
          if (operation.kind !== 'write-knob') return
          process.kill(qemu.pid, 'SIGKILL')
          waitUntilGone(qemu.pid)
        },
        () => sandbox.apply(),
      )
      await expect(dying).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
      const { removed } = await sandbox.destroy()
      expect(removed).toContain(`${hierarchyOf('cpu')}:${bench.parent}/vm/vcpu`)
      expectGone(`${bench.parent}/vm`)
    })
  },
)
