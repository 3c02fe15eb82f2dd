import * as fc from 'fast-check'
import type { LinuxResources } from '../../src/model/generated/oci'
import type { TableDevice } from './resource-tables'

const quotaAndPeriod = fc.oneof(
  fc.record({ quota: fc.constantFrom(-1, 1_000, 30_000, 50_000, 100_000, 400_000) }),
  fc.record({
    quota: fc.constantFrom(-1, 1_000, 5_000, 50_000, 100_000, 200_000, 900_000),
    period: fc.constantFrom(1_000, 10_000, 50_000, 100_000, 250_000, 1_000_000),
  }),
  fc.record({ period: fc.constantFrom(1_000, 50_000, 1_000_000) }),
  fc.constant({}),
)

const realtime = fc.oneof(
  fc.record({
    realtimeRuntime: fc.constantFrom(0, 1, 100, 900),
    realtimePeriod: fc.constantFrom(10_000, 100_000, 5_000_000),
  }),
  fc.record({ realtimeRuntime: fc.constantFrom(0, 100, 5_000) }),
  fc.constant({}),
)

const weight = fc.record(
  { shares: fc.constantFrom(0, 2, 3, 512, 1024), idle: fc.constantFrom(0, 1) },
  { requiredKeys: [] },
)

/** Resources whose fields fit together; the burst is at most half of any quota that is not the least. */
export function anyCpu(burst = true): fc.Arbitrary<LinuxResources> {
  return fc.record({ quotaAndPeriod, realtime, weight, hasBurst: fc.boolean() }).map((parts) => {
    const quota = 'quota' in parts.quotaAndPeriod ? parts.quotaAndPeriod.quota : undefined
    const burstUs = quota === undefined || quota < 0 ? 700_000 : Math.floor(quota / 2)
    return {
      cpu: {
        ...parts.quotaAndPeriod,
        ...parts.realtime,
        ...parts.weight,
        ...(burst && parts.hasBurst && { burst: burstUs }),
      },
    }
  })
}

const PAGE = 4096
export const anyMemory: fc.Arbitrary<LinuxResources> = fc
  .record({
    limit: fc.constantFrom(undefined, -1, PAGE, 5 * PAGE + 1, 100 * PAGE, 1000 * PAGE),
    more: fc.constantFrom(undefined, -1, 0, 1, PAGE, 10_000 * PAGE),
  })
  .map(({ limit, more }) => {
    if (limit === undefined) return { memory: {} }
    const swap = more === undefined || limit === -1 || more === -1 ? -1 : limit + more
    return { memory: { limit, ...(more !== undefined && { swap }) } }
  })

/** Weights of the group and of two devices. */
export function anyWeights(devices: readonly TableDevice[]): fc.Arbitrary<LinuxResources> {
  const weights = fc.constantFrom(0, 1, 100, 300, 1000)
  return fc
    .record({
      weight: fc.option(weights, { nil: undefined }),
      each: fc.array(weights, { maxLength: devices.length }),
    })
    .map(({ weight, each }) => ({
      blockIO: {
        ...(weight !== undefined && { weight }),
        weightDevice: devices.slice(0, each.length).map((device, n) => ({ ...device, weight: each[n] ?? 0 })),
      },
    }))
}
