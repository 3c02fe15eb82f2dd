import { VmcgError } from '../../errors'
import { quote, short } from '../quote'

const MIN_SHARES = 2
const MAX_SHARES = 262_144
const MAX_WEIGHT = 10_000

const MIN_BLKIO_WEIGHT = 10
const MAX_BLKIO_WEIGHT = 1_000

/**
 * The `cpu.weight` that stands for `cpu.shares`: a curve through 2 → 1, 1024 → 100 and 262144 → 10000, so that both
 * defaults meet. The line that runtimes used until 2025 made 39 of the default shares.
 *
 * @param shares 0 is "not set"; others are held to 2 to 262144, as the kernel holds them.
 * @returns 1 to 10000; 0 where no weight is set.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no integer from 0 to 2^53 - 1.
 *
 * Source: opencontainers/cgroups, ConvertCPUSharesToCgroupV2Value (kubernetes/kubernetes#131216).
 */
export function cpuSharesToWeight(shares: number): number {
  checkCount('cpu.shares', shares, 0)
  if (shares === 0) return 0
  if (shares <= MIN_SHARES) return 1
  if (shares >= MAX_SHARES) return MAX_WEIGHT
  const l = Math.log2(shares)
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34))
}

/**
 * The `io.weight` that stands for a weight of blkio: 10 to 1000 becomes 1 to 10000, in a line.
 *
 * @param weight 0 is "not set"; others are held to 10 to 1000.
 * @returns 1 to 10000; 0 where no weight is set.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no integer from 0 to 2^53 - 1.
 *
 * Source: opencontainers/cgroups, ConvertBlkIOToIOWeightValue.
 */
export function blkioWeightToIoWeight(weight: number): number {
  checkCount('blockIO.weight', weight, 0)
  if (weight === 0) return 0
  const held = Math.min(Math.max(weight, MIN_BLKIO_WEIGHT), MAX_BLKIO_WEIGHT)
  return (
    1 + Math.floor(((held - MIN_BLKIO_WEIGHT) * (MAX_WEIGHT - 1)) / (MAX_BLKIO_WEIGHT - MIN_BLKIO_WEIGHT))
  )
}

/**
 * The limit of swap alone, which v2 has, by the limits of memory and of memory and swap together, which OCI has.
 * Without a limit of memory there is nothing to take off: none of both means none of swap, and a limit of both is then
 * that of swap.
 *
 * @param limit `memory.limit` in bytes: -1 is no limit, 0 or undefined "not set".
 * @param memorySwap `memory.swap` in bytes: the same.
 * @returns Bytes for `memory.swap.max`, -1 for no limit; undefined where nothing is set.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no integer from -1 to 2^53 - 1, and for a limit of both where that of
 *   memory is not known; `ERR_VMCG_OUT_OF_RANGE` for one of both that is below that of memory.
 *
 * Source: opencontainers/cgroups, ConvertMemorySwapToCgroupV2Value.
 */
export function swapLimitV2(limit: number | undefined, memorySwap: number | undefined): number | undefined {
  const [memory, both] = [limit ?? 0, memorySwap ?? 0]
  checkCount('memory.limit', memory, -1)
  checkCount('memory.swap', both, -1)
  if (both === 0) return memory === -1 ? -1 : undefined
  if (both === -1 || memory === -1) return both
  if (memory === 0) {
    throw new VmcgError(
      'ERR_VMCG_INVALID_ARGUMENT',
      `memory.swap ${both} is a limit of memory and swap together, and there is none of memory to take off`,
      { value: String(both), hint: 'set memory.limit as well' },
    )
  }
  if (both >= memory) return both - memory
  throw new VmcgError(
    'ERR_VMCG_OUT_OF_RANGE',
    `memory.swap ${both} is below the memory limit of ${memory} bytes, and it limits memory and swap together`,
    { value: String(both), hint: 'set memory.swap to at least memory.limit' },
  )
}

function checkCount(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return
  throw new VmcgError(
    'ERR_VMCG_INVALID_ARGUMENT',
    `${name} ${quote(value)} is no integer from ${least} to 2^53 - 1`,
    {
      value: short(value),
    },
  )
}
