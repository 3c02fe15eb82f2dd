import { canonicalCpuList } from '../cpu-list'
import { echoV2 } from './echo-v2'
import { hasNamedLimits, isKeyed, lineFor, lineKey } from './keyed-lines'
import { areLimitsKept } from './named-limits'
import { DEFAULT_PAGE_SIZE, pageOf } from './pages'
import { isList } from './unlimited'

export interface KeptOptions {
  /** Bytes of a page of memory, which the kernel counts memory limits in; default 4096. */
  readonly pageSize?: number | undefined
}

/** PAGE_COUNTER_MAX of include/linux/page_counter.h, in bytes and before it is rounded to pages. */
const LONG_MAX = 2n ** 63n - 1n

/**
 * Whether a knob that was written says what was asked for, as the kernel writes it: limits rounded down to
 * pages, `-1` of v1 as the largest number of whole pages, CPU lists in canonical form, one line per device among
 * others. A value that the kernel changed in any other way, such as `cpu.shares` held to its range, is not kept.
 *
 * @param file Name of the knob.
 * @param wanted What was written.
 * @param kept What the knob says: its whole text without the newline at the end.
 */
export function isKept(file: string, wanted: string, kept: string, options: KeptOptions = {}): boolean {
  const page = pageOf(file, options.pageSize ?? DEFAULT_PAGE_SIZE)
  if (hasNamedLimits(file)) return areLimitsKept(wanted, kept)
  if (isKeyed(file)) return isLineKept(file, wanted, kept)
  const echo = echoV2(file, wanted.trim(), kept, page)
  if (echo !== undefined) return echo === kept
  if (page !== undefined) return areSameBytes(wanted, kept, page)
  if (isList(file)) return areSameLists(wanted, kept)
  if (file === 'memory.oom_control') return kept.split('\n').includes(`oom_kill_disable ${wanted}`)
  return kept.split('\n').includes(wanted.trim())
}

function areSameBytes(wanted: string, kept: string, page: number): boolean {
  const pageBytes = BigInt(page)
  const bytes = wanted === '-1' ? LONG_MAX : BigInt(wanted)
  return BigInt(kept) === bytes - (bytes % pageBytes)
}

function areSameLists(wanted: string, kept: string): boolean {
  return canonicalCpuList(wanted) === canonicalCpuList(kept)
}

function isLineKept(file: string, wanted: string, kept: string): boolean {
  const key = lineKey(wanted)
  const value = wanted.slice(key.length + 1)
  const line = lineFor(kept, key)
  if (file === 'net_prio.ifpriomap') return line === value
  // The kernel shows no line for a device without a rule of its own.
  return value === '0' || value === 'default' ? line === undefined : line === value
}
