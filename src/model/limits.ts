import { VmcgError } from '../errors'
import { quote, short } from './quote'

/**
 * True for a limit that holds somebody back: in an OCI config, 0, -1 and an absent member all mean "no limit".
 * Throws `ERR_VMCG_INVALID_ARGUMENT` for a number that is no integer, or too large for a double to hold exactly.
 */
export function isLimit(name: string, value: number | undefined): value is number {
  if (value === undefined) return false
  if (Number.isSafeInteger(value)) return value > 0
  throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${name} ${quote(value)} is no integer below 2^53`, {
    value: short(value),
  })
}

/** The kernel's own period of CPU quotas, which OCI configs may leave out. Source: kernel, Documentation/scheduler/sched-bwc.rst. */
export const DEFAULT_PERIOD_US = 100_000

/** The exact sum of integers. Throws `ERR_VMCG_OUT_OF_RANGE` beyond 2^53, where a double would round it. */
export function addUp(name: string, values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + BigInt(value), 0n)
  if (sum <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(sum)
  throw new VmcgError('ERR_VMCG_OUT_OF_RANGE', `${name} adds up to ${sum}, which is beyond 2^53`, {
    value: String(sum),
  })
}
