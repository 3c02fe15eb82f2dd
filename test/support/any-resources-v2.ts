import * as fc from 'fast-check'
import type { LinuxResources } from '../../src/model/generated/oci'
import type { TableDevice } from './resource-tables'

const PAGE = 4096

const cpu = fc
  .record(
    {
      shares: fc.constantFrom(0, 2, 3, 512, 1024, 262_144),
      idle: fc.constantFrom(0, 1),
      quota: fc.constantFrom(-1, 0, 1_000, 50_000, 100_000, 400_000),
      period: fc.constantFrom(0, 1_000, 50_000, 100_000, 1_000_000),
      cpus: fc.constantFrom('', '0', '0,0'),
      hasBurst: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .map(({ hasBurst, ...fields }) => {
    const { quota = -1 } = fields
    // No more than half of the quota, which leaves room for what scaling makes of it.
    return { ...fields, ...(hasBurst && { burst: quota > 0 ? Math.floor(quota / 2) : 700_000 }) }
  })

const memory = fc
  .record({
    limit: fc.constantFrom(undefined, -1, 0, PAGE, 5 * PAGE + 1, 1000 * PAGE),
    more: fc.constantFrom(undefined, -1, 0, 1, PAGE, 10_000 * PAGE),
    reservation: fc.constantFrom(undefined, -1, 0, PAGE, 50 * PAGE + 4095),
  })
  .map(({ limit, more, reservation }) => ({
    ...(limit !== undefined && { limit }),
    ...(limit !== undefined && more !== undefined && { swap: limit <= 0 || more < 0 ? -1 : limit + more }),
    ...(reservation !== undefined && { reservation }),
  }))

function blockIO(devices: readonly TableDevice[]) {
  const throttle = (rates: readonly number[]) =>
    fc.array(
      fc
        .record({ device: fc.constantFrom(...devices), rate: fc.constantFrom(...rates) })
        .map(({ device, rate }) => ({ ...device, rate })),
      { maxLength: 3 },
    )
  const bytes = throttle([0, 2, 2 ** 20, 2 ** 53 - 1])
  const operations = throttle([0, 2, 1000, 2 ** 32 - 2])
  const weight = fc.constantFrom(0, 10, 100, 1000)
  return fc.record(
    {
      weight,
      weightDevice: fc.array(
        fc
          .record({ device: fc.constantFrom(...devices), weight })
          .map(({ device, weight: each }) => ({ ...device, weight: each })),
        { maxLength: 2 },
      ),
      throttleReadBpsDevice: bytes,
      throttleWriteBpsDevice: bytes,
      throttleReadIOPSDevice: operations,
      throttleWriteIOPSDevice: operations,
    },
    { requiredKeys: [] },
  )
}

const unified = fc.record(
  {
    'memory.high': fc.constantFrom('max', '8192', '3M'),
    'cpu.weight': fc.constantFrom('1', '100', '777'),
    'cpu.max': fc.constantFrom('max', '800000', '900000 1000000'),
    'pids.max': fc.constantFrom('max', '5'),
  },
  { requiredKeys: [] },
)

/** Resources whose fields fit together, of every controller whose knobs check each other, and of `unified`. */
export function anyResourcesV2(devices: readonly TableDevice[]): fc.Arbitrary<LinuxResources> {
  const pids = fc.record({ limit: fc.constantFrom(-1, 0, 5) })
  return fc
    .record({ cpu, memory, pids, blockIO: blockIO(devices), unified }, { requiredKeys: [] })
    .map((resources) => {
      if (resources.cpu?.idle !== 1 || resources.unified === undefined) return resources
      // The two are refused together.
      const { 'cpu.weight': _weight, ...others } = resources.unified
      return { ...resources, unified: others }
    })
}
