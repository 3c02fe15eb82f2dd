import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import type { CgroupManager } from '../../src/manager'
import { isKept } from '../../src/model/resources/kept'
import { unlimitedValue } from '../../src/model/resources/unlimited'
import { blockDevices } from '../support/block-devices'
import { type KnobLines, readKnobs } from '../support/cgroup-knobs'
import { ManagerBench, V1_MOUNTS } from '../support/manager-bench'
import { operationsDuring } from '../support/operations'
import { describeWhere, describeWith } from '../support/require'
import { bfqCases, type FieldCase, fieldCases } from '../support/resource-tables'

const CONTROLLERS = ['cpu', 'cpuset', 'memory', 'pids', 'blkio', 'hugetlb', 'net_cls', 'net_prio', 'rdma']
const PAGE_SIZE = 4096

const [disk] = blockDevices()
const [bfqDisk] = blockDevices((scheduler) => scheduler.includes('[bfq]'))

/** What this host lacks for a controller's fields, to be named by the reporter; undefined: nothing. */
function lackOf(controller: string): string | undefined {
  if (V1_MOUNTS[controller] === undefined) return `v1 hierarchy of ${controller}`
  return controller === 'blkio' && disk === undefined ? 'block device' : undefined
}

describeWith(['root', 'cgroup-v1'], 'resources of a manager', () => {
  let bench: ManagerBench
  let manager: CgroupManager
  beforeEach(async () => {
    bench = new ManagerBench()
    bench.make(bench.parent)
    // Without it no child may have any: the kernel gives real-time bandwidth from the top down.
    bench.write('cpu', 'cpu.rt_runtime_us', 10_000, bench.parent)
    manager = await bench.manager()
    await manager.apply({})
  })
  afterEach(async () => {
    await manager.destroy()
    await bench.clear()
  })

  /** Applies, reads every knob back, finds nothing left to do, and lifts it all again. */
  async function proveCase({ resources, writes }: FieldCase): Promise<void> {
    const fresh = readKnobs(bench.path())
    await manager.apply(resources)
    const amiss = writes.flatMap(({ controller, file, value }) => {
      const kept = bench.read(controller, file)
      return isKept(file, value, kept, { pageSize: PAGE_SIZE }) ? [] : [`${file}=${value} reads ${kept}`]
    })
    expect(amiss).toEqual([])
    expect(await operationsDuring(() => manager.apply(resources))).toEqual([])

    await manager.apply({})
    // Some knobs have no value for "no limit", and a period without a quota holds nobody back.
    const stays = writes.filter(({ file, value }) => unlimitedValue(file, value) === undefined)
    const lasting = ['cpu.cfs_period_us', ...stays.map(({ file }) => file)]
    const comparable = (knobs: KnobLines) =>
      Object.fromEntries(
        Object.entries(knobs).filter(([file]) => !lasting.includes(file) && !file.includes('usage')),
      )
    expect(comparable(readKnobs(bench.path()))).toEqual(comparable(fresh))
    expect(await operationsDuring(() => manager.apply())).toEqual([])
  }

  const cases = fieldCases(disk ?? { major: 0, minor: 0 })
  for (const controller of CONTROLLERS) {
    const lack = lackOf(controller)
    const own = cases.filter(({ name, writes }) =>
      writes.length === 0
        ? name.startsWith(controller === 'blkio' ? 'blockIO' : controller)
        : writes.every((write) => write.controller === controller),
    )
    describeWhere(lack === undefined, lack ?? controller, `reach ${controller} and are lifted`, () => {
      it.each(own)('$name', proveCase)
    })
  }

  describeWhere(
    bfqDisk !== undefined,
    'block device with the bfq scheduler',
    'reach the weight of a device',
    () => {
      it.each(bfqCases(bfqDisk ?? { major: 0, minor: 0 }))('$name', proveCase)
    },
  )

  it('all reach it together, in one apply', async () => {
    const resources = {
      cpu: { shares: 512, quota: 50_000, period: 100_000, burst: 10_000, cpus: '0', mems: '0' },
      memory: { limit: 2 ** 28, reservation: 2 ** 27, swap: 2 ** 28, swappiness: 10 },
      pids: { limit: 100 },
      devices: [{ allow: false, access: 'rwm' }],
    }
    const report = await manager.apply(resources)
    expect(report.isChanged).toBe(true)
    expect(readKnobs(bench.path())).toMatchObject({
      'cpu.shares': ['512'],
      'cpu.cfs_quota_us': ['50000'],
      'cpu.cfs_burst_us': ['10000'],
      'cpuset.cpus': ['0'],
      'cpuset.mems': ['0'],
      'memory.limit_in_bytes': [String(2 ** 28)],
      'memory.soft_limit_in_bytes': [String(2 ** 27)],
      'memory.swappiness': ['10'],
      'pids.max': ['100'],
      'devices.list': expect.not.arrayContaining(['a *:* rwm']),
    })
    expect(await operationsDuring(() => manager.apply(resources))).toEqual([])
  })

  it('leave alone what vmcg has never set, when they are lifted', async () => {
    bench.write('pids', 'pids.max', '77')
    bench.write('cpu', 'cpu.shares', '300')
    await manager.apply({ cpu: { quota: 50_000 } })
    await manager.apply({})
    expect(bench.read('cpu', 'cpu.cfs_quota_us')).toBe('-1')
    expect(bench.read('cpu', 'cpu.shares')).toBe('300')
    expect(bench.read('pids', 'pids.max')).toBe('77')
  })

  it('take devices back as well: what the parent allows is allowed again', async () => {
    await manager.apply({ devices: [{ allow: false, access: 'rwm' }] })
    expect(bench.read('devices', 'devices.list')).not.toContain('a *:* rwm')
    await manager.apply({})
    expect(bench.read('devices', 'devices.list').split('\n').sort()).toEqual(['b *:* rwm', 'c *:* rwm'])
    expect(await operationsDuring(() => manager.apply())).toEqual([])
  })

  it('are refused on a host without their controller, before anything is written', async () => {
    const asking = {
      hugetlb: { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] },
      net_cls: { network: { classID: 1 } },
      net_prio: { network: { priorities: [{ name: 'lo', priority: 1 }] } },
      rdma: { rdma: { mlx5_0: { hcaHandles: 1 } } },
    }
    for (const [controller, resources] of Object.entries(asking)) {
      if (V1_MOUNTS[controller] !== undefined) continue
      const isOnV2 = detectHost().controller(controller) !== undefined
      const done = await operationsDuring(() =>
        expect(manager.apply({ pids: { limit: 5 }, ...resources })).rejects.toMatchObject({
          code: isOnV2 ? 'ERR_VMCG_UNSUPPORTED' : 'ERR_VMCG_NO_CONTROLLER',
          message: expect.stringContaining(
            `the ${controller} controller is ${isOnV2 ? 'on' : 'not mounted'}`,
          ),
        }),
      )
      expect(done).toEqual([])
    }
  })

  const hasCfq = existsSync(join(V1_MOUNTS['blkio'] ?? '', 'blkio.leaf_weight'))
  describeWhere(!hasCfq, 'kernel without CFQ', 'that the kernel has no file for', () => {
    it('are told from those that it has, before anything is written', async () => {
      const done = await operationsDuring(() =>
        expect(manager.apply({ pids: { limit: 5 }, blockIO: { leafWeight: 500 } })).rejects.toMatchObject({
          code: 'ERR_VMCG_UNSUPPORTED',
          message: expect.stringContaining('blkio.leaf_weight'),
        }),
      )
      expect(done).toEqual([])
    })
  })
})
