import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { formatPlan } from '../../src/plan/format-plan'
import type { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import {
  directory,
  exists,
  hierarchyOf,
  makeCgroup,
  readKnob,
  tasksOf,
  writeKnob,
} from '../support/cgroup-v1'
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

const QUOTA_30 = { quota: 30_000, period: 100_000 }
const QUOTA_20 = { quota: 20_000, period: 100_000 }

function bandwidth(): string {
  const leaf = `${bench.parent}/vm/vcpu`
  return `${readKnob('cpu', leaf, 'cpu.cfs_quota_us')}/${readKnob('cpu', leaf, 'cpu.cfs_period_us')}`
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

describeWith(['root', 'cgroup-v1', 'python'], "a sandbox's limits", () => {
  test('are the sum over its containers, and follow them up and down', async () => {
    const sandbox = await applied(container(QUOTA_30, 'c1'), container(QUOTA_20, 'c2'))
    expect(bandwidth()).toBe('50000/100000')
    sandbox.setContainer(container({ quota: 5_000, period: 10_000 }, 'c2'))
    await sandbox.apply()
    expect(bandwidth()).toBe('80000/100000')
    sandbox.removeContainer('c2')
    await sandbox.apply()
    expect(bandwidth()).toBe('30000/100000')
  })

  test('are lifted with the last container that asked for one, and the report says so', async () => {
    const sandbox = await applied(container({ ...QUOTA_30, shares: 512, cpus: '0' }))
    sandbox.removeContainer('c1')
    const { unlimited } = await sandbox.apply()
    expect(unlimited).toEqual([`${hierarchyOf('cpu')}:${bench.parent}/vm/vcpu cpu.cfs_quota_us`])
    expect(bandwidth()).toBe('-1/100000')
    expect(readKnob('cpu', `${bench.parent}/vm`, 'cpu.shares')).toBe('1024')
    const available = readKnob('cpuset', bench.parent, 'cpuset.cpus')
    expect(readKnob('cpuset', `${bench.parent}/vm/vcpu`, 'cpuset.cpus')).toBe(available)
  })

  test('take a cpuset up later, and then the threads are placed there as well', async () => {
    const sandbox = await applied(container(QUOTA_30))
    expect(exists('cpuset', `${bench.parent}/vm`)).toBe(false)
    sandbox.setContainer(container({ ...QUOTA_30, cpus: '0' }))
    const { placed } = await sandbox.apply()
    expect(tasksOf('cpuset', `${bench.parent}/vm/vcpu`)).toEqual(placed)
    expect(readKnob('cpuset', `${bench.parent}/vm/vcpu`, 'cpuset.cpus')).toBe('0')
  })

  test('are put right when somebody else has changed one that was asked for', async () => {
    const sandbox = await applied(container(QUOTA_30))
    writeKnob('cpu', `${bench.parent}/vm/vcpu`, 'cpu.cfs_quota_us', 70_000)
    writeKnob('cpu', `${bench.parent}/vm/vcpu`, 'cpu.shares', 2)
    await sandbox.refresh()
    expect(bandwidth()).toBe('30000/100000')
    expect(readKnob('cpu', `${bench.parent}/vm/vcpu`, 'cpu.shares')).toBe('2048')
  })

  test('that somebody else has set, and no container asks for, are left alone', async () => {
    const sandbox = await applied(container({}))
    writeKnob('cpu', `${bench.parent}/vm/vcpu`, 'cpu.cfs_quota_us', 70_000)
    writeKnob('cpu', `${bench.parent}/vm`, 'cpu.shares', 2048)
    expect((await sandbox.apply()).isChanged).toBe(false)
    expect(bandwidth()).toBe('70000/100000')
    expect(readKnob('cpu', `${bench.parent}/vm`, 'cpu.shares')).toBe('2048')
  })

  test('above those of the parent are refused with the reason, and the old ones stay', async () => {
    makeCgroup(bench.parent, ['cpu'])
    writeKnob('cpu', bench.parent, 'cpu.cfs_quota_us', 40_000)
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
    expect(bandwidth()).toBe('30000/100000')
    expect((await sandbox.refresh()).isChanged).toBe(false)
  })

  test('that somebody else keeps changing are given up with an error of its own', async () => {
    const sandbox = await applied(container(QUOTA_30))
    sandbox.setContainer(container(QUOTA_20))
    const leaf = `${bench.parent}/vm/vcpu`
    const fighting = onOperation(
      () => writeKnob('cpu', leaf, 'cpu.cfs_quota_us', 70_000),
      () => sandbox.apply(),
    )
    await expect(fighting).rejects.toMatchObject({
      code: 'ERR_VMCG_VERIFY',
      message: expect.stringContaining('20000'),
      path: `${directory('cpu', leaf)}/cpu.cfs_quota_us`,
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

describeWith(['root', 'cgroup-v1', 'python'], 'a plan', () => {
  test('writes nothing, and is carried out exactly', async () => {
    const sandbox = await applied(container(QUOTA_30))
    sandbox.setContainer(container(QUOTA_20))
    const plan = await sandbox.plan()
    expect(bandwidth()).toBe('30000/100000')
    const done = await operationsDuring(() => sandbox.apply({ plan }))
    expect(done.map(({ operation }) => operation)).toEqual(plan.stages.flatMap((stage) => stage.operations))
    expect(bandwidth()).toBe('20000/100000')
  })

  test('is stale once something has changed, and then nothing is written', async () => {
    const sandbox = await applied(container(QUOTA_30))
    sandbox.setContainer(container(QUOTA_20))
    const plan = await sandbox.plan()
    writeKnob('cpu', `${bench.parent}/vm/vcpu`, 'cpu.cfs_quota_us', 70_000)
    const done = await operationsDuring(() =>
      expect(sandbox.apply({ plan })).rejects.toMatchObject({ code: 'ERR_VMCG_PLAN_STALE' }),
    )
    expect(done).toEqual([])
    expect(bandwidth()).toBe('70000/100000')
  })
})

describeWith(['root', 'cgroup-v1', 'python'], 'a sandbox that exists already', () => {
  test('is taken up by create with the same id, parent and state directory', async () => {
    const first = await applied(container(QUOTA_30))
    const vcpus = tasksOf('cpu', `${bench.parent}/vm/vcpu`)
    await first.close()
    const second = await bench.sandbox({ containers: [container(QUOTA_30)] })
    expect((await second.apply()).isChanged).toBe(false)
    expect(tasksOf('cpu', `${bench.parent}/vm/vcpu`)).toEqual(vcpus)
    await second.destroy()
    expect(exists('cpu', `${bench.parent}/vm`)).toBe(false)
  })

  test('is foreign without its state, and stays as it is', async () => {
    await applied(container(QUOTA_30))
    const vcpus = tasksOf('cpu', `${bench.parent}/vm/vcpu`)
    for (const file of readdirSync(bench.stateDir)) rmSync(join(bench.stateDir, file))
    await expect(bench.sandbox()).rejects.toMatchObject({ code: 'ERR_VMCG_FOREIGN_CGROUP' })
    expect(tasksOf('cpu', `${bench.parent}/vm/vcpu`)).toEqual(vcpus)
    expect(bandwidth()).toBe('30000/100000')
    expect(readdirSync(bench.stateDir)).toEqual([])
  })
})
