import { VmcgError } from '../errors'
import { checkObject, checkObjects } from './argument'
import { formatCpuList, parseCpuList } from './cpu-list'
import type { LinuxCpu } from './generated/oci'
import { addUp, DEFAULT_PERIOD_US, isLimit } from './limits'
import { quote } from './quote'

export interface MergeCpuOptions {
  /**
   * What a container without a quota means. `'ignore'` (default): it counts for nothing, and the sandbox is held to
   * the sum of the others, as in Kata. `'uncap'`: it lifts the sandbox's quota.
   */
  readonly unlimited?: 'ignore' | 'uncap' | undefined
}

interface Quota {
  readonly quota: number
  readonly period: number
}

function limitOf({ quota, period = DEFAULT_PERIOD_US }: LinuxCpu): Quota | undefined {
  return isLimit('cpu.quota', quota) && isLimit('cpu.period', period) ? { quota, period } : undefined
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [larger, smaller] = [a, b]
  while (smaller !== 0n) [larger, smaller] = [smaller, larger % smaller]
  return larger
}

/** The sum of the ratios, counted in units of the first period and rounded down once. */
function sumOfQuotas([first, ...others]: readonly [Quota, ...Quota[]]): Quota {
  let [numerator, denominator] = [BigInt(first.quota), BigInt(first.period)]
  for (const { quota, period } of others) {
    numerator = numerator * BigInt(period) + BigInt(quota) * denominator
    denominator *= BigInt(period)
    // Without reducing, a hundred containers would make numbers of thousands of bits.
    const divisor = greatestCommonDivisor(numerator, denominator)
    numerator /= divisor
    denominator /= divisor
  }
  const quota = (numerator * BigInt(first.period)) / denominator
  if (quota > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new VmcgError(
      'ERR_VMCG_OUT_OF_RANGE',
      `the CPU quotas add up to ${quota} us per ${first.period} us`,
      {
        value: String(quota),
        hint: 'the sum must stay below 2^53 us per period of the first container',
      },
    )
  }
  return { quota: Number(quota), period: first.period }
}

function mergedQuota(cpus: readonly LinuxCpu[], unlimited: 'ignore' | 'uncap'): Partial<Quota> {
  const limits = cpus.map(limitOf)
  const [first, ...others] = limits.filter((limit) => limit !== undefined)
  if (first === undefined || (unlimited === 'uncap' && limits.includes(undefined))) return {}
  return sumOfQuotas([first, ...others])
}

function union(lists: readonly (string | undefined)[]): string {
  return formatCpuList(lists.flatMap((list) => parseCpuList(list ?? '')))
}

/**
 * What several containers ask of the CPU, as one demand on their sandbox.
 *
 * - `quota` and `period`: the ratios are added as fractions and rounded down once, in the period of the first
 *   container that has a limit. A quota that is absent, 0 or negative counts as not limited, and so does a period of 0
 *   or less; one that is absent is the kernel's own, 100000 us. 5000/10000 and 40/100 give 9000/10000.
 * - `shares`: the sum over the containers that have them; 0 counts as unset.
 * - `cpus`, `mems`: the union over the containers that have them, in the kernel's canonical form.
 *
 * Burst, realtime times and `idle` have no meaning that adds up over containers, and are left out.
 *
 * @param cpus One entry per container, `{}` for one that asks for nothing. Times are microseconds.
 * @returns Only the members that are set: `{}` when nothing is limited.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for a number that is no integer or beyond 2^53, for a malformed list, for
 *   an unknown `unlimited`, and for arguments of the wrong type.
 * @throws `ERR_VMCG_OUT_OF_RANGE` when a sum is beyond 2^53.
 *
 * Source: Kata Containers, virtcontainers/cgroups.go (mergeCPUResource), without its rounding by floating point.
 */
export function mergeCpu(cpus: readonly LinuxCpu[], options: MergeCpuOptions = {}): LinuxCpu {
  checkObjects('cpus', cpus)
  checkObject('options', options)
  const { unlimited = 'ignore' } = options
  if (unlimited !== 'ignore' && unlimited !== 'uncap') {
    throw new VmcgError(
      'ERR_VMCG_INVALID_ARGUMENT',
      `unlimited must be 'ignore' or 'uncap', not ${quote(unlimited)}`,
    )
  }
  const shares = cpus.map((cpu) => cpu.shares).filter((value) => isLimit('cpu.shares', value))
  const cpuList = union(cpus.map((cpu) => cpu.cpus))
  const memList = union(cpus.map((cpu) => cpu.mems))
  return Object.freeze({
    ...(shares.length > 0 && { shares: addUp('cpu.shares', shares) }),
    ...mergedQuota(cpus, unlimited),
    ...(cpuList !== '' && { cpus: cpuList }),
    ...(memList !== '' && { mems: memList }),
  })
}
