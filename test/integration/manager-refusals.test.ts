import { dirname } from 'node:path'
import { detectHost } from '../../src/host/detect'
import type { CgroupManager } from '../../src/manager'
import type { LinuxResources } from '../../src/model/generated/oci'
import { type KnobLines, readKnobs as readKnobsV1 } from '../support/cgroup-knobs'
import { readKnobsV2 } from '../support/cgroup-knobs-v2'
import { knobOf, processLimitOf, quotaOf } from '../support/cgroup-limits'
import { IS_PURE_V2, ManagerBench } from '../support/manager-bench'
import { onOperation, operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'
import { REFUSALS as REFUSALS_V1 } from '../support/resource-tables'
import { INEXPRESSIBLE, REFUSALS_V2 } from '../support/resource-tables-v2'

const readKnobs = IS_PURE_V2 ? readKnobsV2 : readKnobsV1
const REFUSALS = IS_PURE_V2
  ? [
      ...REFUSALS_V2,
      ...INEXPRESSIBLE.map(([resources, message]) => [resources, 'ERR_VMCG_UNSUPPORTED', message] as const),
    ]
  : REFUSALS_V1

const STANDING: LinuxResources = {
  cpu: { shares: 300, quota: 40_000, period: 100_000 },
  memory: { limit: 2 ** 28 },
  pids: { limit: 70 },
}

let bench: ManagerBench
let manager: CgroupManager
let standing: KnobLines

beforeEach(async () => {
  bench = new ManagerBench()
  manager = await bench.begun()
  bench.prepareParent()
  await manager.apply(STANDING)
  standing = readKnobs(bench.path())
})
afterEach(() => bench.clear())

/** Of the fields of a row: whether their controller is there on the version that the table is of. */
function isServed(resources: LinuxResources): boolean {
  const blockIO = IS_PURE_V2 ? 'io' : 'blkio'
  const needed = { hugepageLimits: 'hugetlb', network: 'net_cls', rdma: 'rdma', blockIO }
  return Object.entries(needed).every(
    ([field, name]) =>
      !(field in resources) || detectHost().controller(name)?.version === (IS_PURE_V2 ? 2 : 1),
  )
}

describeWith(['root', 'cgroups', 'limits'], 'a refusal before the first write', () => {
  const rows = REFUSALS.map(([resources, code, message]) => ({
    what: JSON.stringify(resources),
    resources,
    code,
    message,
  }))

  it.each(rows)('of $what', async ({ resources, code, message }) => {
    const done = await operationsDuring(async () => {
      const wanted = { ...STANDING, ...resources }
      const error: unknown = await manager.apply(wanted).catch((thrown: unknown) => thrown)
      await expect(manager.plan(wanted)).rejects.toEqual(error)
      // The schema refuses wrong types and names the JSON path; of what is no number in a range the field's rule tells.
      const bySchema = {
        code: 'ERR_VMCG_INVALID_SPEC',
        message: expect.stringMatching(/^linux\.resources is invalid: \/\w/),
      }
      const byRule = { code, message: expect.stringMatching(message) }
      const byHost = { code: expect.stringMatching(/^ERR_VMCG_(NO_CONTROLLER|UNSUPPORTED)$/) }
      const thrown = Reflect.get(Object(error), 'code')
      if (thrown === bySchema.code) expect(error).toMatchObject(bySchema)
      else expect(error).toMatchObject(thrown === code || isServed(resources) ? byRule : byHost)
    })
    expect(done).toEqual([])
    expect(readKnobs(bench.path())).toEqual(standing)
    expect(manager.config.resources).toEqual(STANDING)
  })

  it.each([
    ['text', { cpu: { shares: '512' } }],
    ['null', { memory: { limit: null } }],
    ['a list', { cpu: [] }],
    ['no object', { pids: 5 }],
    ['a number beyond 2^53', { memory: { limit: 2 ** 60 } }],
    ['infinity', { memory: { limit: Number.POSITIVE_INFINITY } }],
    ['no number', { cpu: { quota: Number.NaN } }],
  ])('of %s where a number belongs', async (_, wrong) => {
    const done = await operationsDuring(async () => {
      // As a caller without types would pass it.
      const resources = Object.assign({ pids: { limit: 5 } }, wrong)
      const applying = Reflect.apply(manager.apply, manager, [resources])
      await expect(applying).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_VMCG_INVALID_/),
        message: expect.stringMatching(/cpu|memory|pids/),
      })
    })
    expect(done).toEqual([])
    expect(readKnobs(bench.path())).toEqual(standing)
  })
})

describeWith(['root', 'cgroup-v1', 'limits-v1'], 'a refusal of the kernel in the middle', () => {
  const wanted: LinuxResources = {
    cpu: { shares: 500, quota: 200_000, period: 100_000 },
    memory: { limit: 2 ** 27 },
    pids: { limit: 30 },
  }

  /** What the kernel refuses, and why it does so, which nobody can see in the cgroup itself. */
  function tightenParent(name = 'one'): void {
    bench.write('cpu', 'cpu.cfs_quota_us', 100_000, dirname(bench.path(name)))
  }

  it('takes back what was written before, in reverse order, and names knob, value and reason', async () => {
    tightenParent()
    const error: unknown = await manager.apply(wanted).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'EINVAL',
      path: `${bench.directory('cpu')}/cpu.cfs_quota_us`,
      value: '200000',
      message: expect.stringContaining(`${bench.parent} above it is held to 100000/100000 us`),
      hint: expect.stringContaining('cpu.cfs_quota_us'),
    })
    expect(readKnobs(bench.path())).toEqual(standing)
  })

  it('lists in its report what was done, refused, and taken back', async () => {
    tightenParent()
    const error: unknown = await manager.apply(wanted).catch((thrown: unknown) => thrown)
    const { operations } = Reflect.get(Object(error), 'report')
    const steps: string[] = operations.flatMap((outcome: { operation: object; errno: number }) => {
      const { kind, knob, value } = { kind: '', knob: '', value: '', ...outcome.operation }
      return kind === 'write-knob' && outcome.errno >= 0 ? [`${knob}=${value}: ${outcome.errno}`] : []
    })
    const refused = steps.findIndex((step) => step.endsWith(': 22'))
    expect(steps[refused]).toBe('cpu.cfs_quota_us=200000: 22')
    const knobOf = (step: string) => step.split('=')[0]
    const written = steps.slice(0, refused).map(knobOf)
    expect(steps.slice(refused + 1).map(knobOf)).toEqual(written.toReversed())
  })

  it('leaves the resources as they were: the next apply writes nothing, and a widened parent lets it through', async () => {
    tightenParent()
    await expect(manager.apply(wanted)).rejects.toMatchObject({ code: 'EINVAL' })
    expect(manager.config.resources).toEqual(STANDING)
    expect(await operationsDuring(() => manager.apply())).toEqual([])
    bench.write('cpu', 'cpu.cfs_quota_us', -1, bench.parent)
    await manager.apply(wanted)
    expect(quotaOf(bench.path()).quota).toBe(200_000)
    expect(processLimitOf(bench.path())).toBe(30)
  })

  it('of limits that vmcg never set before lifts them again', async () => {
    const fresh = await bench.begun({ cgroupsPath: bench.cgroupsPath('two') })
    tightenParent('two')
    await fresh.apply({})
    const before = readKnobs(bench.path('two'))
    await expect(fresh.apply(wanted)).rejects.toMatchObject({ code: 'EINVAL' })
    expect(readKnobs(bench.path('two'))).toEqual(before)
    await fresh.apply({})
    expect(readKnobs(bench.path('two'))).toEqual(before)
  })
})

describeWith(['root', 'cgroup-v2'], 'on cgroup v2, a refusal of the kernel in the middle', () => {
  // The kernel has no such device, which only it can tell.
  const device = { major: 241, minor: 77, rate: 2 ** 20 }
  const wanted: LinuxResources = {
    cpu: { shares: 500, quota: 200_000, period: 100_000 },
    memory: { limit: 2 ** 27 },
    pids: { limit: 30 },
  }
  const refused: LinuxResources = { ...wanted, blockIO: { throttleReadBpsDevice: [device] } }
  const refusal = { code: 'ENODEV', value: '241:77 rbps=1048576' }

  it('takes back what was written before, and names knob, value and reason', async () => {
    await expect(manager.apply(refused)).rejects.toMatchObject({
      ...refusal,
      path: `${bench.directory('io')}/io.max`,
      message: expect.stringContaining('io.max'),
    })
    expect(readKnobs(bench.path())).toEqual(standing)
  })

  it('lists in its report what was done, refused, and taken back, the latest first', async () => {
    const error: unknown = await manager.apply(refused).catch((thrown: unknown) => thrown)
    const { operations } = Reflect.get(Object(error), 'report')
    const steps: { knob: string; errno: number }[] = operations.flatMap(
      (outcome: { operation: object; errno: number }) =>
        'knob' in outcome.operation && outcome.errno >= 0
          ? [{ knob: outcome.operation.knob, errno: outcome.errno }]
          : [],
    )
    const index = steps.findIndex(({ errno }) => errno !== 0)
    expect(steps[index]).toEqual({ knob: 'io.max', errno: 19 })
    const written = steps.slice(0, index).map(({ knob }) => knob)
    expect(written.length).toBeGreaterThan(2)
    expect(steps.slice(index + 1).map(({ knob }) => knob)).toEqual(written.toReversed())
  })

  it('leaves the resources as they were: the next apply writes nothing, and one without it goes through', async () => {
    await expect(manager.apply(refused)).rejects.toMatchObject(refusal)
    expect(manager.config.resources).toEqual(STANDING)
    expect(await operationsDuring(() => manager.apply())).toEqual([])
    await manager.apply(wanted)
    expect(quotaOf(bench.path()).quota).toBe(200_000)
    expect(processLimitOf(bench.path())).toBe(30)
  })

  it('of limits that vmcg never set before lifts them again', async () => {
    const fresh = await bench.begun({ cgroupsPath: bench.cgroupsPath('two') })
    bench.prepareParent('two')
    await fresh.apply({})
    const before = readKnobs(bench.path('two'))
    await expect(fresh.apply(refused)).rejects.toMatchObject(refusal)
    expect(readKnobs(bench.path('two'))).toEqual(before)
    await fresh.apply({})
    expect(readKnobs(bench.path('two'))).toEqual(before)
  })
})

describeWith(['root', 'cgroups', 'limits'], 'a knob that does not keep what is written', () => {
  it('is an error with both values, after a second try', async () => {
    let writes = 0
    const applying = onOperation(
      ({ operation }) => {
        if (operation.kind !== 'write-knob' || operation.knob !== knobOf('processes')) return
        writes += 1
        bench.write('pids', 'pids.max', 99)
      },
      () => manager.apply({ ...STANDING, pids: { limit: 30 } }),
    )
    await expect(applying).rejects.toMatchObject({
      code: 'ERR_VMCG_VERIFY',
      path: `${bench.directory('pids')}/pids.max`,
      value: '30',
      message: expect.stringMatching(/should read 30 and reads 99/),
    })
    expect(writes).toBe(2)
    expect(manager.config.resources).toEqual(STANDING)
  })
})
