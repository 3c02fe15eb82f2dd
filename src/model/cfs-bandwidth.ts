import { VmcgError } from '../errors'
import { quote, short } from './quote'

/** A quota and its period, both in microseconds and both in the kernel's range. */
export interface CfsBandwidth {
  readonly quotaUs: number
  readonly periodUs: number
}

/** The kernel's bounds in microseconds. Source: kernel/sched/core.c, tg_set_cfs_bandwidth (EINVAL outside of them). */
export const MIN_QUOTA_US = 1_000
export const MIN_PERIOD_US = 1_000
export const MAX_PERIOD_US = 1_000_000
/** MAX_BW there: 44 bits of microseconds, about 204 days of CPU time per period. */
export const MAX_QUOTA_US = 2 ** 44 - 1

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

function checkMicroseconds(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return
  throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${quote(value)} is no CPU ${name} in microseconds`, {
    value: short(value),
  })
}

/**
 * Brings a CPU quota and its period to what the kernel takes, without changing their ratio: a pair in range stays as
 * it is; otherwise both are scaled, to the period in range that is nearest to the given one.
 *
 * @param quota Microseconds of CPU time per period, above 0.
 * @param period Microseconds, above 0.
 * @returns A quota from 1000 to 2^44 - 1 and a period from 1000 to 1000000 microseconds of exactly the same ratio.
 * @throws `ERR_VMCG_OUT_OF_RANGE` when no such pair exists: 1/2000 of a CPU would be 500 us in the longest period.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no integer from 1 to 2^53 - 1.
 */
export function cfsBandwidth(quota: number, period: number): CfsBandwidth {
  checkMicroseconds('quota', quota)
  checkMicroseconds('period', period)
  const given = greatestCommonDivisor(quota, period)
  const [q, p] = [quota / given, period / given]
  // Every pair of the same ratio is a multiple of (q, p); the given one is the multiple `given`.
  const least = Math.max(Math.ceil(MIN_QUOTA_US / q), Math.ceil(MIN_PERIOD_US / p))
  const most = Math.min(Math.floor(MAX_QUOTA_US / q), Math.floor(MAX_PERIOD_US / p))
  if (least > most) {
    throw new VmcgError(
      'ERR_VMCG_OUT_OF_RANGE',
      `a CPU quota of ${quota} us per ${period} us cannot be set: no pair of exactly this ratio has a quota from ` +
        `${MIN_QUOTA_US} us and a period from ${MIN_PERIOD_US} to ${MAX_PERIOD_US} us`,
      { value: `${quota} ${period}`, hint: 'choose a period of 100000 us and a quota of at least 1000 us' },
    )
  }
  const multiple = Math.min(Math.max(given, least), most)
  return { quotaUs: q * multiple, periodUs: p * multiple }
}
