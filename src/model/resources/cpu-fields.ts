import { cfsBandwidth, MAX_PERIOD_US, MAX_QUOTA_US, MIN_PERIOD_US, MIN_QUOTA_US } from '../cfs-bandwidth'
import type { LinuxCpu } from '../generated/oci'
import { integer, integerUnlessZero, type Range } from './fields'

/** What the kernel gives a new cgroup, and what the quota of an OCI config without a period is per. */
export const DEFAULT_PERIOD_US = 100_000

export const SHARES_RANGE: Range = {
  min: 2,
  max: 262_144,
  note: ', to which the kernel would hold it without a word',
}

/** Microseconds; a quota of -1 is no limit. */
export interface AskedBandwidth {
  readonly quotaUs: number | undefined
  readonly periodUs: number | undefined
}

/** The quota and the period of an OCI config, scaled into the kernel's range where both are given; 0 is "not set". */
export function askedBandwidth(cpu: LinuxCpu): AskedBandwidth {
  const anyInteger = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }
  const quota = integerUnlessZero('cpu.quota', cpu.quota, anyInteger)
  const period = integerUnlessZero('cpu.period', cpu.period, { ...anyInteger, min: 1 })
  if (quota !== undefined && quota > 0 && period !== undefined) return cfsBandwidth(quota, period)
  // One alone has nothing to be scaled with: scaled by what the cgroup has now, it would grow at every apply.
  const alone = {
    min: MIN_QUOTA_US,
    max: MAX_QUOTA_US,
    note: ' us, and without a period it cannot be scaled',
  }
  if (quota !== undefined && quota > 0) integer('cpu.quota', quota, alone)
  integer('cpu.period', period, { min: MIN_PERIOD_US, max: MAX_PERIOD_US, note: ' us' })
  return { quotaUs: quota === undefined ? undefined : Math.max(quota, -1), periodUs: period }
}
