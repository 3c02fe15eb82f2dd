import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import type { CgroupManager } from '../../src/manager'
import { isKept } from '../../src/model/resources/kept'
import { liftedValue, unlimitedValue } from '../../src/model/resources/unlimited'
import { blockDevices } from '../support/block-devices'
import { type KnobLines, readKnobs as readKnobsV1 } from '../support/cgroup-knobs'
import { readKnobsV2 } from '../support/cgroup-knobs-v2'
import { processLimitOf, quotaOf, setWeight, weightOf } from '../support/cgroup-limits'
import { IS_PURE_V2, MANAGED, ManagerBench } from '../support/manager-bench'
import { operationsDuring } from '../support/operations'
import { describeWhere, describeWith } from '../support/require'
import { bfqCases, type FieldCase, fieldCases } from '../support/resource-tables'
import { fieldCasesV2, INEXPRESSIBLE, unifiedCases } from '../support/resource-tables-v2'

const CONTROLLERS = IS_PURE_V2
  ? ['cpu', 'cpuset', 'memory', 'pids', 'io', 'hugetlb', 'cgroup']
  : ['cpu', 'cpuset', 'memory', 'pids', 'blkio', 'hugetlb', 'net_cls', 'net_prio', 'rdma']
const PAGE_SIZE = 4096
const readKnobs = IS_PURE_V2 ? readKnobsV2 : readKnobsV1

const [disk] = blockDevices()
const [bfqDisk] = blockDevices((scheduler) => scheduler.includes('[bfq]'))

/** What this host lacks for a controller's fields, to be named by the reporter; undefined: nothing. */
function lackOf(controller: string): string | undefined {
  if (controller !== 'cgroup' && MANAGED[controller] === undefined) return `controller ${controller}`
  if (controller === 'rdma' && !existsSync('/sys/class/infiniband/mlx5_0')) return 'InfiniBand device mlx5_0'
  return ['blkio', 'io'].includes(controller) && disk === undefined ? 'block device' : undefined
}

const RT_RUNTIME = 'cpu.rt_runtime_us'
const hasRealtime = !IS_PURE_V2 && existsSync(join(MANAGED['cpu'] ?? '', RT_RUNTIME))
const isRealtime = ({ resources: { cpu } }: FieldCase) => Number(cpu?.realtimeRuntime ?? 0) > 0

/** What all fields together come to. */
const TOGETHER_V1 = {
  'cpu.shares': ['512'],
  'cpu.cfs_quota_us': ['50000'],
  'cpu.cfs_burst_us': ['10000'],
  'cpuset.cpus': ['0'],
  'cpuset.mems': ['0'],
  'memory.limit_in_bytes': [String(2 ** 28)],
  'memory.soft_limit_in_bytes': [String(2 ** 27)],
  'memory.memsw.limit_in_bytes': [String(2 ** 28)],
  'memory.swappiness': ['10'],
  'pids.max': ['100'],
}
const TOGETHER_V2 = {
  'cpu.weight': ['59'],
  'cpu.max': ['50000 100000'],
  'cpu.max.burst': ['10000'],
  'cpuset.cpus': ['0'],
  'cpuset.mems': ['0'],
  'memory.max': [String(2 ** 28)],
  'memory.low': [String(2 ** 27)],
  'memory.swap.max': ['0'],
  'pids.max': ['100'],
}

/** The value that lifts a limit; undefined: the knob has none. */
function lifted(file: string, value: string): string | undefined {
  return IS_PURE_V2 ? liftedValue(2, file, value) : unlimitedValue(file, value)
}

describeWith(['root', 'cgroups', 'limits', 'devices'], 'resources of a manager', () => {
  let bench: ManagerBench
  let manager: CgroupManager
  beforeEach(async () => {
    bench = new ManagerBench()
    manager = await bench.begun()
    bench.prepareParent()
    // Without it no child may have any: the kernel gives real-time bandwidth from the top down.
    if (hasRealtime) bench.write('cpu', RT_RUNTIME, 10_000, bench.parent)
    await manager.apply({})
  })
  afterEach(async () => {
    await manager.destroy()
    await bench.clear()
  })

  /** On v2 a list of all that the host has limits nobody, as an empty one. */
  function isEverything(file: string, lines: readonly string[]): boolean {
    if (!IS_PURE_V2 || !['cpuset.cpus', 'cpuset.mems'].includes(file)) return false
    return lines.join() === bench.read('unified', `${file}.effective`, '/')
  }

  /** Applies, reads every knob back, finds nothing left to do, and lifts it all again. */
  async function proveCase({ resources, writes }: FieldCase): Promise<void> {
    const fresh = readKnobs(bench.path())
    await manager.apply(resources)
    const amiss = writes.flatMap(({ controller, file, value }) => {
      const kept = bench.read(controller === 'cgroup' ? 'unified' : controller, file)
      return isKept(file, value, kept, { pageSize: PAGE_SIZE }) ? [] : [`${file}=${value} reads ${kept}`]
    })
    expect(amiss).toEqual([])
    expect(await operationsDuring(() => manager.apply(resources))).toEqual([])

    await manager.apply({})
    // Some knobs have no value for "no limit", and a period without a quota holds nobody back.
    const stays = writes.filter(({ file, value }) => lifted(file, value) === undefined)
    const lasting = ['cpu.cfs_period_us', ...stays.map(({ file }) => file)]
    const comparable = (knobs: KnobLines) =>
      Object.fromEntries(
        Object.entries(knobs)
          .filter(([file]) => !lasting.includes(file) && !/usage|current/.test(file))
          .map(([file, lines]) => [file, isEverything(file, lines) ? [''] : lines]),
      )
    expect(comparable(readKnobs(bench.path()))).toEqual(comparable(fresh))
    expect(await operationsDuring(() => manager.apply())).toEqual([])
  }

  const aDisk = disk ?? { major: 0, minor: 0 }
  const every = IS_PURE_V2 ? [...fieldCasesV2(aDisk), ...unifiedCases(aDisk)] : fieldCases(aDisk)
  const cases = every.filter((one) => hasRealtime || !isRealtime(one))
  for (const controller of CONTROLLERS) {
    const lack = lackOf(controller)
    const own = cases.filter(({ name, writes }) =>
      writes.length === 0
        ? name.startsWith(['blkio', 'io'].includes(controller) ? 'blockIO' : controller)
        : writes.every((write) => write.controller === controller),
    )
    describeWhere(lack === undefined, lack ?? controller, `reach ${controller} and are lifted`, () => {
      it.each(own)('$name', proveCase)
    })
  }

  describeWhere(
    !IS_PURE_V2 && bfqDisk !== undefined,
    'block device of v1 with the bfq scheduler',
    'reach the weight of a device',
    () => {
      it.each(bfqCases(bfqDisk ?? { major: 0, minor: 0 }))('$name', proveCase)
    },
  )

  it('all reach it together, in one apply', async () => {
    const together = IS_PURE_V2 ? TOGETHER_V2 : TOGETHER_V1
    const resources = {
      cpu: { shares: 512, quota: 50_000, period: 100_000, burst: 10_000, cpus: '0', mems: '0' },
      memory: { limit: 2 ** 28, reservation: 2 ** 27, swap: 2 ** 28, ...(!IS_PURE_V2 && { swappiness: 10 }) },
      pids: { limit: 100 },
      devices: [{ allow: false, access: 'rwm' }],
    }
    const report = await manager.apply(resources)
    expect(report.isChanged).toBe(true)
    expect(readKnobs(bench.path())).toMatchObject(together)
    expect(await bench.mayOpen('/dev/kmsg')).toBe(false)
    expect(await operationsDuring(() => manager.apply(resources))).toEqual([])
  })

  it('leave alone what vmcg has never set, when they are lifted', async () => {
    bench.write('pids', 'pids.max', '77')
    setWeight(bench.path(), 300)
    await manager.apply({ cpu: { quota: 50_000 } })
    await manager.apply({})
    expect(quotaOf(bench.path()).quota).toBe(null)
    expect(weightOf(bench.path())).toBe(300)
    expect(processLimitOf(bench.path())).toBe(77)
  })

  it('take devices back as well: what the parent allows is allowed again', async () => {
    await manager.apply({ devices: [{ allow: false, access: 'rwm' }] })
    expect(await bench.mayOpen('/dev/kmsg')).toBe(false)
    await manager.apply({})
    expect(await bench.mayOpen('/dev/kmsg')).toBe(true)
    expect(await operationsDuring(() => manager.apply())).toEqual([])
  })

  describeWhere(IS_PURE_V2, 'cgroup v2 alone', 'that v2 has nothing for', () => {
    it('are refused before anything is written, or left out with a warning', async () => {
      const lenient = await bench.begun({ cgroupsPath: bench.cgroupsPath('two'), unsupported: 'warn' })
      for (const [resources, message] of INEXPRESSIBLE) {
        const done = await operationsDuring(() =>
          expect(manager.apply({ pids: { limit: 5 }, ...resources })).rejects.toMatchObject({
            code: 'ERR_VMCG_UNSUPPORTED',
            message: expect.stringMatching(message),
          }),
        )
        expect(done).toEqual([])
        const { warnings } = await lenient.apply({ pids: { limit: 5 }, ...resources })
        expect(warnings).toEqual([expect.stringMatching(message)])
      }
      expect(processLimitOf(bench.path('two'))).toBe(5)
    })
  })

  const asking = Object.entries({
    hugetlb: { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] },
    net_cls: { network: { classID: 1 } },
    net_prio: { network: { priorities: [{ name: 'lo', priority: 1 }] } },
    rdma: { rdma: { mlx5_0: { hcaHandles: 1 } } },
  }).filter(([controller]) => detectHost().controller(controller) === undefined)
  const lacksOne = !IS_PURE_V2 && asking.length > 0
  describeWhere(lacksOne, 'v1 controller left unmounted', 'of a controller that is not mounted', () => {
    it('are refused before anything is written', async () => {
      for (const [controller, resources] of asking) {
        const done = await operationsDuring(() =>
          expect(manager.apply({ pids: { limit: 5 }, ...resources })).rejects.toMatchObject({
            code: 'ERR_VMCG_NO_CONTROLLER',
            message: expect.stringContaining(`the ${controller} controller is not mounted`),
          }),
        )
        expect(done).toEqual([])
      }
    })

    it('are left out with a warning where that is wished', async () => {
      const lenient = await bench.begun({ cgroupsPath: bench.cgroupsPath('two'), unsupported: 'warn' })
      for (const [controller, resources] of asking) {
        const { warnings } = await lenient.apply({ pids: { limit: 5 }, ...resources })
        expect(warnings).toEqual([expect.stringContaining(`the ${controller} controller is not mounted`)])
      }
      expect(processLimitOf(bench.path('two'))).toBe(5)
    })
  })

  const hasHugetlbBeside = !IS_PURE_V2 && detectHost().controller('hugetlb')?.version === 2
  describeWhere(hasHugetlbBeside, 'hugetlb of v2 beside v1', 'of a controller on v2 beside v1', () => {
    it('are written there, and the others on v1', async () => {
      await manager.apply({ pids: { limit: 5 }, hugepageLimits: [{ pageSize: '2MB', limit: 0 }] })
      expect(bench.read('unified', 'hugetlb.2MB.max')).toBe('0')
      expect(bench.read('pids', 'pids.max')).toBe('5')
      await manager.apply({})
      expect(bench.read('unified', 'hugetlb.2MB.max')).toBe('max')
      await manager.destroy()
      expect(bench.exists('unified')).toBe(false)
    })
  })

  const hasCfq = existsSync(join(MANAGED['blkio'] ?? '', 'blkio.leaf_weight'))
  describeWhere(
    !IS_PURE_V2 && !hasCfq,
    'v1 hierarchy of blkio without CFQ',
    'that the kernel has no file for',
    () => {
      it('are told from those that it has, before anything is written', async () => {
        const done = await operationsDuring(() =>
          expect(manager.apply({ pids: { limit: 5 }, blockIO: { leafWeight: 500 } })).rejects.toMatchObject({
            code: 'ERR_VMCG_UNSUPPORTED',
            message: expect.stringContaining('blkio.leaf_weight'),
          }),
        )
        expect(done).toEqual([])
      })
    },
  )
})
