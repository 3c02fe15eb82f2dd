import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { formatPlan } from '../../src/plan/format-plan'
import type { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import {
  cpusOf,
  knobOf,
  type Quota,
  quotaOf,
  setQuota,
  setWeight,
  sharesWeight,
  threadsWeight,
  weightOf,
} from '../support/cgroup-limits'
import { directory, exists, hierarchyOf, isControlled, makeCgroup, threadsIn } from '../support/cgroups'
import { onOperation, operationsDuring } from '../support/operations'
import { describeWhere, describeWith } from '../support/require'
import { patience } from '../support/scale'
import { hypervisorOf } from '../support/stand-in'

jest.setTimeout(patience(60_000))

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

const QUOTA_30 = { quota: 30_000, period: 100_000 }
const QUOTA_20 = { quota: 20_000, period: 100_000 }

const leaf = () => `${bench.parent}/vm/vcpu`

function bandwidth(): Quota {
  return quotaOf(leaf())
}

function per100Ms(quota: number | null): Quota {
  return { quota, period: 100_000 }
}

/** A sandbox with two vCPU threads, applied. */
async function applied(...containers: ReturnType<typeof container>[]): Promise<Sandbox> {
  const vmm = await bench.standIn()
  const vcpus = await vmm.start(2)
  const sandbox = await bench.sandbox({ containers })
  await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
  await sandbox.apply()
  return sandbox
}

describeWith(['root', 'cgroups', 'python'], "a sandbox's limits", () => {
  test('that do not hold are told by the plan and the report', async () => {
    const sandbox = await applied(
      { id: 'c1', spec: { linux: { resources: { pids: { limit: 5 }, devices: [{ allow: false }] } } } },
      container(QUOTA_20, 'c2'),
    )
    const warnings = [
      expect.stringContaining('container c1: not applied by this version of vmcg: devices'),
      expect.stringContaining('pids is not limited: container c2 has no pids.limit'),
    ]
    expect((await sandbox.plan()).warnings).toEqual(warnings)
    expect((await sandbox.apply()).warnings).toEqual(warnings)
  })

  test('are the sum over its containers, and follow them up and down', async () => {
    const sandbox = await applied(container(QUOTA_30, 'c1'), container(QUOTA_20, 'c2'))
    expect(bandwidth()).toEqual(per100Ms(50_000))
    sandbox.setContainer(container({ quota: 5_000, period: 10_000 }, 'c2'))
    await sandbox.apply()
    expect(bandwidth()).toEqual(per100Ms(80_000))
    sandbox.removeContainer('c2')
    await sandbox.apply()
    expect(bandwidth()).toEqual(per100Ms(30_000))
  })

  test('have a weight beside other sandboxes, and that of its threads inside', async () => {
    await applied(container({ shares: 512 }, 'c1'), container({ shares: 256 }, 'c2'))
    expect(weightOf(`${bench.parent}/vm`)).toBe(sharesWeight(768))
    expect(weightOf(leaf())).toBe(threadsWeight(2))
  })

  test('are lifted with the last container that asked for one, and the report says so', async () => {
    const sandbox = await applied(container({ ...QUOTA_30, shares: 512, cpus: '0' }))
    sandbox.removeContainer('c1')
    const { unlimited } = await sandbox.apply()
    expect(unlimited).toEqual([`${hierarchyOf('cpu')}:${leaf()} ${knobOf('quota')}`])
    expect(bandwidth()).toEqual(per100Ms(null))
    expect(weightOf(`${bench.parent}/vm`)).toBe(threadsWeight(1))
    const available = cpusOf(bench.parent)
    expect(cpusOf(leaf())).toBe(available)
  })

  test('take a cpuset up later, and then the threads are placed there as well', async () => {
    const sandbox = await applied(container(QUOTA_30))
    expect(isControlled(`${bench.parent}/vm`, 'cpuset')).toBe(false)
    const vcpus = threadsIn(leaf())
    sandbox.setContainer(container({ ...QUOTA_30, cpus: '0' }))
    await sandbox.apply()
    expect(threadsIn(leaf(), 'cpuset')).toEqual(vcpus)
    expect(cpusOf(leaf())).toBe('0')
  })

  test('are put right when somebody else has changed one that was asked for', async () => {
    const sandbox = await applied(container(QUOTA_30))
    setQuota(leaf(), 70_000)
    setWeight(leaf(), 2)
    await sandbox.refresh()
    expect(bandwidth()).toEqual(per100Ms(30_000))
    expect(weightOf(leaf())).toBe(threadsWeight(2))
  })

  test('that somebody else has set, and no container asks for, are left alone', async () => {
    const sandbox = await applied(container({}))
    setQuota(leaf(), 70_000)
    setWeight(`${bench.parent}/vm`, threadsWeight(2))
    expect((await sandbox.apply()).isChanged).toBe(false)
    expect(bandwidth()).toEqual(per100Ms(70_000))
    expect(weightOf(`${bench.parent}/vm`)).toBe(threadsWeight(2))
  })

  test('that somebody else keeps changing are given up with an error of its own', async () => {
    const sandbox = await applied(container(QUOTA_30))
    sandbox.setContainer(container(QUOTA_20))
    const fighting = onOperation(
      () => setQuota(leaf(), 70_000),
      () => sandbox.apply(),
    )
    await expect(fighting).rejects.toMatchObject({
      code: 'ERR_VMCG_VERIFY',
      message: expect.stringContaining('20000'),
      path: `${directory('cpu', leaf())}/${knobOf('quota')}`,
      report: { isChanged: true },
    })
  })

  test('are applied once: the second time nothing is written, and the plan is empty', async () => {
    const sandbox = await applied(container({ ...QUOTA_30, cpus: '0', shares: 512 }))
    const stateFiles = () =>
      readdirSync(bench.stateDir).map((file) => [file, statSync(join(bench.stateDir, file)).mtimeMs])
    const statesBefore = stateFiles().filter(([file]) => String(file).endsWith('.json'))
    const again = await operationsDuring(async () => {
      expect(await sandbox.apply()).toMatchObject({ isChanged: false, looks: 1, operations: [] })
      expect(formatPlan(await sandbox.plan())).toBe('# vm: nothing to do\n')
    })
    expect(again).toEqual([])
    expect(stateFiles()).toEqual(expect.arrayContaining(statesBefore))
  })
})

describeWith(['root', 'cgroup-v1', 'python', 'cgroupfs-driver'], "a sandbox's limits on cgroup v1", () => {
  test('above those of the parent are refused with the reason, and the old ones stay', async () => {
    makeCgroup(bench.parent, ['cpu'])
    setQuota(bench.parent, 40_000)
    const sandbox = await applied(container(QUOTA_30))
    sandbox.setContainer(container({ quota: 300_000, period: 200_000 }))
    const refusal = sandbox.apply()
    await expect(refusal).rejects.toMatchObject({
      name: 'CgroupError',
      code: 'EINVAL',
      syscall: 'write',
      message: expect.stringContaining(`${bench.parent} above it is held to 40000/100000 us`),
      hint: expect.stringContaining(`${bench.parent}/cpu.cfs_quota_us`),
      report: { operations: expect.anything() },
    })
    expect(bandwidth()).toEqual(per100Ms(30_000))
    expect((await sandbox.refresh()).isChanged).toBe(false)
  })
})

describeWith(['root', 'cgroup-v2', 'python', 'cgroupfs-driver'], "a sandbox's limits on cgroup v2", () => {
  test('can be above those of the parent, which holds everybody below it all the same', async () => {
    makeCgroup(bench.parent, ['cpu'])
    setQuota(bench.parent, 40_000)
    const sandbox = await applied(container(QUOTA_30))
    sandbox.setContainer(container({ quota: 300_000, period: 200_000 }))
    await sandbox.apply()
    expect(bandwidth()).toEqual({ quota: 300_000, period: 200_000 })
    expect(quotaOf(bench.parent)).toEqual(per100Ms(40_000))
    expect((await sandbox.refresh()).isChanged).toBe(false)
  })
})

describeWith(['root', 'cgroups', 'python'], 'a plan', () => {
  test('writes nothing, and is carried out exactly', async () => {
    const sandbox = await applied(container(QUOTA_30))
    sandbox.setContainer(container(QUOTA_20))
    const plan = await sandbox.plan()
    expect(bandwidth()).toEqual(per100Ms(30_000))
    const done = await operationsDuring(() => sandbox.apply({ plan }))
    expect(done.map(({ operation }) => operation)).toEqual(plan.stages.flatMap((stage) => stage.operations))
    expect(bandwidth()).toEqual(per100Ms(20_000))
  })

  test('is stale once something has changed, and then nothing is written', async () => {
    const sandbox = await applied(container(QUOTA_30))
    sandbox.setContainer(container(QUOTA_20))
    const plan = await sandbox.plan()
    setQuota(leaf(), 70_000)
    const done = await operationsDuring(() =>
      expect(sandbox.apply({ plan })).rejects.toMatchObject({ code: 'ERR_VMCG_PLAN_STALE' }),
    )
    expect(done).toEqual([])
    expect(bandwidth()).toEqual(per100Ms(70_000))
  })
})

describeWith(['root', 'cgroups', 'python'], 'a sandbox that exists already', () => {
  test('is taken up by create with the same id, parent and state directory', async () => {
    const first = await applied(container(QUOTA_30))
    const vcpus = threadsIn(leaf())
    await first.close()
    const second = await bench.sandbox({ containers: [container(QUOTA_30)] })
    expect((await second.apply()).isChanged).toBe(false)
    expect(threadsIn(leaf())).toEqual(vcpus)
    await second.destroy()
    expect(exists(`${bench.parent}/vm`)).toBe(false)
  })

  test('is foreign without its state, and stays as it is', async () => {
    await applied(container(QUOTA_30))
    const vcpus = threadsIn(leaf())
    for (const file of readdirSync(bench.stateDir)) rmSync(join(bench.stateDir, file))
    await expect(bench.sandbox()).rejects.toMatchObject({ code: 'ERR_VMCG_FOREIGN_CGROUP' })
    expect(threadsIn(leaf())).toEqual(vcpus)
    expect(bandwidth()).toEqual(per100Ms(30_000))
    expect(readdirSync(bench.stateDir)).toEqual([])
  })
})

const BLKIO = detectHost().controller('blkio')?.mountPoint ?? ''

describeWhere(
  existsSync(join(BLKIO, 'blkio.bfq.io_service_bytes')),
  'blkio of v1 with BFQ',
  'weights',
  () => {
    describeWith(['root', 'cgroups', 'cgroupfs-driver'], 'a weight of block I/O', () => {
      test('is set below a parent that is not there yet, and whose own parent has no such file', async () => {
        const sandbox = await bench.sandbox({
          containers: [{ id: 'c1', spec: { linux: { resources: { blockIO: { weight: 300 } } } } }],
        })
        await sandbox.apply()
        const file = join(BLKIO, sandbox.paths.sandbox, 'blkio.bfq.weight')
        expect(readFileSync(file, 'utf8').trim()).toBe('300')
        await sandbox.destroy()
        rmdirSync(join(BLKIO, bench.parent))
      })
    })
  },
)
