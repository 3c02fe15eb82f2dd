import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import type { LinuxResources } from '../../src/model/generated/oci'
import { isKept } from '../../src/model/resources/kept'
import type { KnobWrite, ObservedKnobs } from '../../src/model/resources/knob'
import { knobsOf } from '../../src/model/resources/knobs-of'
import { resourceWrites } from '../../src/model/resources/resource-writes'
import { unlimitedValue } from '../../src/model/resources/unlimited'
import { anyCpu, anyMemory } from '../support/any-resources'
import { blockDevices } from '../support/block-devices'
import { forAll } from '../support/for-all'
import { ModelKernel } from '../support/model-kernel'
import { describeWhere, describeWith } from '../support/require'
import { bfqCases, type FieldCase, fieldCases } from '../support/resource-tables'
import { TestCgroup, v1MountOf } from '../support/test-cgroups'

const CONTROLLERS = ['cpu', 'cpuset', 'memory', 'pids', 'blkio', 'hugetlb', 'net_cls', 'net_prio', 'rdma']
const MOUNTED = CONTROLLERS.filter((name) => v1MountOf(name) !== undefined)
const PAGE_SIZE = 4096
const HAS_REALTIME = existsSync(join(v1MountOf('cpu') ?? '', 'cpu.rt_runtime_us'))
/** A device that the table writes limits of; a kernel without it refuses them. */
const HAS_RDMA = existsSync('/sys/class/infiniband/mlx5_0')

/** The parent's share of a CPU, in both kinds of bandwidth; what the tables ask for fits in. */
const PARENT_CFS_RATIO = 4
const PARENT_RT_RATIO = 0.01

describeWith(['root', 'cgroup-v1'], 'the kernel', () => {
  let parent: TestCgroup
  let cgroup: TestCgroup
  beforeAll(() => {
    parent = new TestCgroup(`/vmcg-test-resources-${process.pid}`, MOUNTED)
    // Small enough that a wrong order is refused, which a parent without limits would hide.
    parent.write('cpu', 'cpu.cfs_quota_us', String(100_000 * PARENT_CFS_RATIO))
    parent.write('cpu', 'cpu.rt_runtime_us', String(1_000_000 * PARENT_RT_RATIO))
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const mount = v1MountOf('cpuset') ?? ''
      parent.write('cpuset', file, readFileSync(join(mount, file), 'utf8').trim())
    }
  })
  afterAll(() => parent.remove())
  beforeEach(() => {
    cgroup = parent.child('group')
  })
  afterEach(() => cgroup.remove())

  function observe(resources: LinuxResources, previous: readonly KnobWrite[] = []): ObservedKnobs {
    const knobs = knobsOf(resources, 1, previous)
    return Object.fromEntries(knobs.map(({ controller, file }) => [file, cgroup.read(controller, file)]))
  }

  function writesFor(resources: LinuxResources, previous: readonly KnobWrite[] = []): readonly KnobWrite[] {
    const observed = observe(resources, previous)
    return resourceWrites(resources, { version: 1, observed, previous, pageSize: PAGE_SIZE })
  }

  /** Writes them in their order, and what the kernel refused or keeps otherwise in words. */
  function perform(writes: readonly KnobWrite[]): string[] {
    const refused = writes.flatMap(({ controller, file, value }) => {
      const errno = cgroup.write(controller, file, value)
      return errno === undefined ? [] : [`${file}=${value}: ${errno}`]
    })
    const lost = writes.flatMap(({ controller, file, value }) => {
      const kept = cgroup.read(controller, file) ?? ''
      return isKept(file, value, kept, { pageSize: PAGE_SIZE }) ? [] : [`${file}=${value}: reads ${kept}`]
    })
    return [...refused, ...lost]
  }

  /** Kernels since 5.7 limit huge pages also when they are reserved, by a file of the same meaning. */
  function withReserved(writes: readonly KnobWrite[]): readonly KnobWrite[] {
    const reserved = writes
      .filter(({ controller }) => controller === 'hugetlb')
      .map((write) => ({ ...write, file: write.file.replace('.limit_in_bytes', '.rsvd.limit_in_bytes') }))
    return [...writes, ...reserved.filter(({ file }) => cgroup.read('hugetlb', file) !== undefined)]
  }

  /** Applies, reads back, applies again, and takes everything back. */
  function proveCase({ resources, writes }: FieldCase): void {
    const before = observe(resources)
    const expected = withReserved(writes)
    expect(perform(expected)).toEqual([])
    expect(writesFor(resources)).toEqual([])

    expect(perform(writesFor({}, expected))).toEqual([])
    const lasting = expected.filter(({ file, value }) => unlimitedValue(file, value) === undefined)
    const after = observe(resources)
    for (const { file } of lasting) expect(after[file]).toBeDefined()
    const isLasting = (file: string) => lasting.some((write) => write.file === file)
    const comparable = (knobs: ObservedKnobs) =>
      Object.fromEntries(
        Object.entries(knobs).filter(([file]) => !isLasting(file) && !file.includes('usage')),
      )
    expect(comparable(after)).toEqual(comparable(before))
  }

  const [disk] = blockDevices()
  const isOfRealtime = ({ writes }: FieldCase) => writes.some(({ file }) => file.startsWith('cpu.rt_'))
  const all = fieldCases(disk ?? { major: 0, minor: 0 })
  const cases = all.filter((one) => !isOfRealtime(one))
  for (const controller of CONTROLLERS) {
    const own = cases.filter(({ writes, name }) =>
      writes.length === 0
        ? name.startsWith(controller)
        : writes.every((write) => write.controller === controller),
    )
    const lack = lackOf(controller)
    describeWhere(lack === undefined, lack ?? '', `keeps what is written to ${controller}`, () => {
      it.each(own)('$name', proveCase)
    })
  }

  function lackOf(controller: string): string | undefined {
    if (!MOUNTED.includes(controller)) return `v1 hierarchy of ${controller}`
    if (controller === 'blkio' && disk === undefined) return 'block device'
    return controller === 'rdma' && !HAS_RDMA ? 'InfiniBand device mlx5_0' : undefined
  }

  describeWhere(HAS_REALTIME, 'realtime shares of groups', 'keeps what is written to cpu, realtime', () => {
    it.each(all.filter(isOfRealtime))('$name', proveCase)
  })

  const [bfqDisk] = blockDevices((scheduler) => scheduler.includes('[bfq]'))
  describeWhere(
    bfqDisk !== undefined,
    'block device with the bfq scheduler',
    'keeps weights of devices',
    () => {
      it.each(bfqCases(bfqDisk ?? { major: 0, minor: 0 }))('$name', proveCase)
    },
  )

  const hasCfq = existsSync(join(v1MountOf('blkio') ?? '', 'blkio.leaf_weight'))
  describeWhere(!hasCfq, 'kernel without CFQ', 'that has no leaf weights', () => {
    it('is told from one that has, before anything is written', () => {
      expect(() => writesFor({ blockIO: { leafWeight: 500 } })).toThrow(
        expect.objectContaining({
          code: 'ERR_VMCG_UNSUPPORTED',
          message: expect.stringMatching(/blockIO\.leafWeight 500 .* no blkio\.leaf_weight/),
        }),
      )
    })
  })

  it('takes every step of growing, shrinking and lifting', () => {
    const steps: LinuxResources[] = [
      { cpu: { quota: 50_000, period: 100_000, burst: 50_000 }, memory: { limit: 2 ** 24, swap: 2 ** 24 } },
      { cpu: { quota: 400_000, period: 100_000, burst: 400_000 }, memory: { limit: 2 ** 28, swap: 2 ** 29 } },
      { cpu: { quota: 40_000, period: 10_000, burst: 10_000 }, memory: { limit: 2 ** 20, swap: 2 ** 20 } },
      { cpu: { quota: 4_000_000, period: 1_000_000, idle: 1 }, memory: { limit: 2 ** 30, swap: -1 } },
      { cpu: { quota: 4_000, period: 1_000, idle: 0, shares: 3 }, memory: { limit: 2 ** 21, swap: 2 ** 22 } },
      { cpu: { shares: 512, realtimeRuntime: 5, realtimePeriod: 1_000 }, memory: { limit: -1 } },
      { cpu: { realtimeRuntime: 50_000, realtimePeriod: 10_000_000 }, pids: { limit: 0 } },
      {},
    ].map(asThisKernelCan)
    const before = observe({}, writtenBy(steps))
    let previous: readonly KnobWrite[] = []
    for (const step of steps) {
      const writes = writesFor(step, previous)
      expect(perform(writes)).toEqual([])
      previous = [...previous, ...writes]
      expect(writesFor(step, previous)).toEqual([])
    }
    expect(observe({}, previous)).toEqual(before)
  })

  function asThisKernelCan(resources: LinuxResources): LinuxResources {
    if (HAS_REALTIME) return resources
    const { realtimeRuntime, realtimePeriod, ...cpu } = resources.cpu ?? {}
    return { ...resources, cpu }
  }

  function writtenBy(steps: readonly LinuxResources[]): KnobWrite[] {
    return steps.flatMap((step) => resourceWrites(step, { version: 1 }))
  }

  it.each([
    ['cpu', anyCpu()],
    ['memory', anyMemory],
  ])('takes the way between any two states: %s', (_, any) => {
    forAll(fc.tuple(any, any), (steps) => {
      let previous: readonly KnobWrite[] = []
      for (const step of [...steps.map(asThisKernelCan).filter(fitsParent), {}]) {
        const writes = writesFor(step, previous)
        expect(perform(writes)).toEqual([])
        previous = [...previous, ...writes]
        expect(writesFor(step, previous)).toEqual([])
      }
    })
  })

  function fitsParent({ cpu = {} }: LinuxResources): boolean {
    const { quota = -1, period = 100_000, realtimeRuntime = 0, realtimePeriod = 1_000_000 } = cpu
    return quota / period <= PARENT_CFS_RATIO && realtimeRuntime / realtimePeriod <= PARENT_RT_RATIO
  }

  it('refuses and says what the model of the unit tests does', () => {
    const numbers = [
      -1,
      0,
      1,
      2,
      999,
      1_000,
      5_000,
      9_999,
      50_000,
      100_000,
      400_000,
      900_000,
      1_000_001,
      2 ** 44,
    ]
    const realtime = HAS_REALTIME ? ['cpu.rt_runtime_us', 'cpu.rt_period_us'] : []
    const writes = fc.oneof(
      fc.tuple(
        fc.constantFrom('cpu.cfs_quota_us', 'cpu.cfs_period_us', ...realtime),
        fc.constantFrom(...numbers),
      ),
      fc.tuple(fc.constantFrom('cpu.cfs_burst_us', 'cpu.shares'), fc.constantFrom(...numbers.slice(1))),
      fc.tuple(fc.constant('cpu.idle'), fc.constantFrom(0, 1, 2)),
      fc.tuple(
        fc.constantFrom('memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'),
        fc.constantFrom(-1, 0, 4_095, 4_096, 8_193, 2 ** 20, 2 ** 53 - 1),
      ),
      fc.tuple(fc.constant('blkio.bfq.weight'), fc.constantFrom(1, 100, 1000)),
    )
    forAll(fc.array(writes, { minLength: 1, maxLength: 20 }), (sequence) => {
      const model = new ModelKernel({ cfsRatio: PARENT_CFS_RATIO, rtRatio: PARENT_RT_RATIO })
      cgroup.remove()
      cgroup = parent.child('group')
      for (const [file, number] of sequence) {
        const [controller = ''] = file.split('.')
        const answers = [cgroup.write(controller, file, String(number)), model.write(file, String(number))]
        expect({ file, number, errno: answers[1] }).toEqual({ file, number, errno: answers[0] })
        for (const knob of ['cpu.shares', file]) {
          expect([knob, model.knobs[knob]]).toEqual([knob, cgroup.read(knob.split('.')[0] ?? '', knob)])
        }
      }
    })
  })
})
