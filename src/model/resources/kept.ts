import { formatCpuList, parseCpuList } from '../cpu-list'
import { pageBytesOf } from './huge-page-size'
import { isKeyed, lineFor, lineKey } from './keyed-lines'

export interface KeptOptions {
  /** Bytes of a page of memory, which the kernel counts memory limits in; default 4096. */
  readonly pageSize?: number | undefined
}

export const DEFAULT_PAGE_SIZE = 4096

/** PAGE_COUNTER_MAX of include/linux/page_counter.h, in bytes and before it is rounded to pages. */
const LONG_MAX = 2n ** 63n - 1n

const MEMORY_LIMIT = /^memory\..*limit_in_bytes$/

/**
 * Whether a cgroup v1 knob that was written says what was asked for, as the kernel writes it: limits rounded down to
 * pages, `-1` as the largest number of whole pages, CPU lists in canonical form, one line per device among others.
 * A value that the kernel changed in any other way, such as `cpu.shares` held to its range, is not kept.
 *
 * @param file Name of the knob.
 * @param wanted What was written.
 * @param kept What the knob says: its whole text without the newline at the end.
 */
export function isKept(file: string, wanted: string, kept: string, options: KeptOptions = {}): boolean {
  const hugePage = pageBytesOf(file)
  if (hugePage !== undefined) return areSameBytes(wanted, kept, hugePage)
  if (MEMORY_LIMIT.test(file)) return areSameBytes(wanted, kept, options.pageSize ?? DEFAULT_PAGE_SIZE)
  if (file === 'cpuset.cpus' || file === 'cpuset.mems') return areSameLists(wanted, kept)
  if (file === 'memory.oom_control') return kept.split('\n').includes(`oom_kill_disable ${wanted}`)
  if (isKeyed(file)) return isLineKept(file, wanted, kept)
  return kept === wanted
}

function areSameBytes(wanted: string, kept: string, page: number): boolean {
  const pageBytes = BigInt(page)
  const bytes = wanted === '-1' ? LONG_MAX : BigInt(wanted)
  return BigInt(kept) === bytes - (bytes % pageBytes)
}

function areSameLists(wanted: string, kept: string): boolean {
  return formatCpuList(parseCpuList(wanted)) === formatCpuList(parseCpuList(kept))
}

function isLineKept(file: string, wanted: string, kept: string): boolean {
  const key = lineKey(wanted)
  const value = wanted.slice(key.length + 1)
  const line = lineFor(kept, key)
  if (file === 'net_prio.ifpriomap') return line === value
  if (file === 'rdma.max') {
    const limits = line?.split(' ') ?? []
    return value.split(' ').every((limit) => limits.includes(limit))
  }
  // The kernel shows no line for a device without a rule of its own.
  return value === '0' || value === 'default' ? line === undefined : line === value
}
