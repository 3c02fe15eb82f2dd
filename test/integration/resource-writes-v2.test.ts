import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import type { LinuxResources } from '../../src/model/generated/oci'
import { kernelEcho, newKnobValue } from '../../src/model/resources/echo'
import { isKept } from '../../src/model/resources/kept'
import type { KnobWrite, ObservedKnobs } from '../../src/model/resources/knob'
import { knobsOf } from '../../src/model/resources/knobs-of'
import { resourceWrites } from '../../src/model/resources/resource-writes'
import { liftedValue } from '../../src/model/resources/unlimited'
import { anyResourcesV2 } from '../support/any-resources-v2'
import { blockDevices } from '../support/block-devices'
import { forAll } from '../support/for-all'
import { ModelKernelV2 } from '../support/model-kernel-v2'
import { describeWhere, describeWith } from '../support/require'
import type { FieldCase } from '../support/resource-tables'
import { fieldCasesV2, ioWeightCases, unifiedCases } from '../support/resource-tables-v2'
import { TestCgroupV2, v2Controllers, v2Mount } from '../support/test-cgroups-v2'

const CONTROLLERS = v2Controllers()

describeWith(['root', 'cgroup-v2', 'block-device'], 'a kernel with cgroup v2', () => {
  let parent: TestCgroupV2
  let cgroup: TestCgroupV2
  beforeAll(() => {
    parent = TestCgroupV2.top(`vmcg-test-resources-${process.pid}`)
  })
  afterAll(() => parent.remove())
  beforeEach(() => {
    cgroup = parent.child('group')
  })
  afterEach(() => cgroup.remove())

  function observe(resources: LinuxResources, previous: readonly KnobWrite[] = []): ObservedKnobs {
    return Object.fromEntries(knobsOf(resources, 2, previous).map(({ file }) => [file, cgroup.read(file)]))
  }

  function writesFor(resources: LinuxResources, previous: readonly KnobWrite[] = []): readonly KnobWrite[] {
    return resourceWrites(resources, { version: 2, observed: observe(resources, previous), previous })
  }

  /** Writes them in their order, and says what the kernel refused, or keeps or shows in another way than was told. */
  function perform(writes: readonly KnobWrite[]): string[] {
    const wrong = writes.flatMap(({ file, value }) => {
      const before = cgroup.read(file) ?? ''
      const errno = cgroup.write(file, value)
      if (errno !== undefined) return [`${file}=${value}: ${errno}`]
      const told = kernelEcho(file, value, before)
      const said = cgroup.read(file)
      return told === said ? [] : [`${file}=${value}: reads ${said} and not ${told}`]
    })
    const lost = writes.flatMap(({ file, value }) => {
      const kept = cgroup.read(file) ?? ''
      return isKept(file, value, kept) ? [] : [`${file}=${value}: reads ${kept}`]
    })
    return [...wrong, ...lost]
  }

  /** Applies, reads back, applies again, and takes everything back. */
  function proveCase({ resources, writes: expected }: FieldCase): void {
    const before = observe(resources)
    const isNew = Object.entries(before).every(([file, text = '']) => newKnobValue(file, text) === text)
    expect([before, isNew]).toEqual([before, true])
    expect(perform(expected)).toEqual([])
    expect(writesFor(resources)).toEqual([])
    expect(perform(writesFor({}, expected))).toEqual([])
    expect(expected.filter(({ file, value }) => liftedValue(2, file, value) === undefined)).toEqual([])
    expect(observe(resources)).toEqual(before)
  }

  const [disk = { major: 0, minor: 0 }] = blockDevices()
  const cases = [...fieldCasesV2(disk), ...unifiedCases(disk)].filter(
    ({ writes }) => !writes.some(({ controller }) => controller === 'rdma'),
  )
  for (const controller of ['cgroup', 'cpu', 'cpuset', 'hugetlb', 'io', 'memory', 'pids']) {
    const own = cases.filter(({ writes, name }) =>
      writes.length === 0
        ? name.startsWith(controller)
        : writes.every((write) => write.controller === controller),
    )
    const isThere = controller === 'cgroup' || CONTROLLERS.includes(controller)
    describeWhere(isThere, `v2 ${controller} controller`, `keeps what is written to ${controller}`, () => {
      it.each(own)('$name', proveCase)
    })
  }

  describe('with the model of io costs', () => {
    const qos = join(v2Mount() ?? '', 'io.cost.qos')
    const device = `${disk.major}:${disk.minor}`
    beforeAll(() => writeFileSync(qos, `${device} enable=1`))
    afterAll(() => writeFileSync(qos, `${device} enable=0`))

    it.each(ioWeightCases(disk))('keeps weights: $name', ({ resources, writes }) => {
      expect(perform(writes)).toEqual([])
      const observed = { 'io.weight': cgroup.read('io.weight') }
      expect(resourceWrites(resources, { version: 2, observed })).toEqual([])
    })
  })

  const [bfqDisk] = blockDevices((scheduler) => scheduler.includes('[bfq]'))
  describeWhere(bfqDisk !== undefined, 'block device with the bfq scheduler', 'keeps weights for BFQ', () => {
    it('that of all devices and that of one', () => {
      const weightDevice = [{ major: 0, minor: 0, ...bfqDisk, weight: 70 }]
      expect(perform(writesFor({ blockIO: { weight: 200, weightDevice } }))).toEqual([])
      expect(writesFor({ blockIO: { weight: 200, weightDevice } })).toEqual([])
      expect(perform(writesFor({ blockIO: { weight: 300, weightDevice } }))).toEqual([])
    })
  })

  it('takes every step of growing, shrinking and lifting', () => {
    const steps: LinuxResources[] = [
      { cpu: { quota: 50_000, burst: 50_000 }, memory: { limit: 2 ** 24, swap: 2 ** 24 } },
      { cpu: { quota: 400_000, burst: 400_000 }, memory: { limit: 2 ** 28, swap: 2 ** 29 } },
      { cpu: { quota: 40_000, period: 10_000, burst: 10_000 }, memory: { limit: 2 ** 20, swap: 2 ** 20 } },
      { cpu: { quota: 4_000_000, period: 1_000_000, idle: 1 }, memory: { limit: 2 ** 30, swap: -1 } },
      { cpu: { quota: 4_000, period: 1_000, idle: 0, shares: 3 }, memory: { limit: 2 ** 21 } },
      { cpu: { cpus: '0', mems: '0' }, pids: { limit: 0 }, unified: { 'memory.high': '1M' } },
      { hugepageLimits: [{ pageSize: '2MB', limit: 2 ** 22 }] },
      {},
    ]
    const written = steps.flatMap((step) => resourceWrites(step, { version: 2 }))
    const before = observe({}, written)
    let previous: readonly KnobWrite[] = []
    for (const step of steps) {
      const writes = writesFor(step, previous)
      expect(perform(writes)).toEqual([])
      previous = [...previous, ...writes]
      expect(writesFor(step, previous)).toEqual([])
    }
    expect(observe({}, written)).toEqual(before)
  })

  it('takes the way between any two states', () => {
    const any = anyResourcesV2([disk]).map(withoutDeviceWeights)
    forAll(fc.tuple(any, any), (steps) => {
      let previous: readonly KnobWrite[] = []
      for (const step of [...steps, {}]) {
        const writes = writesFor(step, previous)
        expect(perform(writes)).toEqual([])
        previous = [...previous, ...writes]
        expect(writesFor(step, previous)).toEqual([])
      }
    })
  })

  /** Those take a scheduler or a model of costs. */
  function withoutDeviceWeights({ blockIO, ...others }: LinuxResources): LinuxResources {
    const { weightDevice: _, ...rest } = blockIO ?? {}
    return { ...others, blockIO: rest }
  }

  it('refuses and says what the model of the unit tests does', () => {
    const device = `${disk.major}:${disk.minor}`
    const numbers = [0, 1, 2, 999, 1_000, 9_999, 50_000, 100_000, 400_000, 1_000_001, 2 ** 44]
    const write = fc.oneof(
      fc.tuple(
        fc.constant('cpu.max'),
        fc
          .tuple(fc.constantFrom('max', ...numbers), fc.constantFrom('', ...numbers))
          .map((pair) => pair.join(' ').trim()),
      ),
      fc.tuple(
        fc.constantFrom('cpu.max.burst', 'cpu.weight', 'cpu.idle'),
        fc.constantFrom(...numbers).map(String),
      ),
      fc.tuple(
        fc.constantFrom('memory.max', 'memory.low', 'memory.swap.max', 'memory.high'),
        fc.constantFrom('max', '0', '4095', '4096', '8193', '3M', '9007199254740991', '9223372036854775807'),
      ),
      fc.tuple(
        fc.constant('io.max'),
        fc
          .tuple(
            fc.constantFrom('rbps', 'wbps', 'riops', 'wiops'),
            fc.constantFrom('max', '0', '1', '2', '1000', '4294967294', '4294967295', '9007199254740991'),
          )
          .map((limit) => `${device} ${limit.join('=')}`),
      ),
      fc.tuple(
        fc.constant('io.weight'),
        fc.constantFrom('default 0', 'default 1', 'default 100', 'default 10000'),
      ),
      fc.tuple(fc.constant('io.bfq.weight'), fc.constantFrom('default 0', 'default 1', 'default 1000')),
    )
    const hasBfq = cgroup.read('io.bfq.weight') !== undefined
    forAll(fc.array(write, { minLength: 1, maxLength: 20 }), (sequence) => {
      const model = new ModelKernelV2()
      cgroup.remove()
      cgroup = parent.child('group')
      for (const [file, value] of sequence.filter(([each]) => hasBfq || each !== 'io.bfq.weight')) {
        const answers = [cgroup.write(file, value), model.write(file, value)]
        expect({ file, value, errno: answers[1] }).toEqual({ file, value, errno: answers[0] })
        for (const knob of ['cpu.weight', file]) {
          expect([knob, model.knobs[knob]]).toEqual([knob, cgroup.read(knob)])
        }
      }
    })
  })
})
