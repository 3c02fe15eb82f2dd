import { lineFor, lineKey } from './keyed-lines'
import { mergeLimits } from './named-limits'

const LONG_MAX = 2n ** 63n - 1n

/** Each stands for ten bits more than the one before; the first for none. */
const SUFFIXES = ' KMGTPE'
const LIMITS_IN_IO_MAX = ['rbps', 'wbps', 'riops', 'wiops']

/** What a knob of v2 says after a write; undefined for files that v1 has too, and for those that are not known here. */
export function echoV2(
  file: string,
  value: string,
  before: string,
  page: number | undefined,
): string | undefined {
  if (page !== undefined && !file.endsWith('_in_bytes')) return bytesEcho(value, BigInt(page))
  switch (file) {
    case 'cpu.max':
      return bandwidthEcho(value, before)
    case 'cpu.uclamp.min':
    case 'cpu.uclamp.max':
      return value === 'max' ? value : Number(value).toFixed(2)
    case 'io.max':
      return ioMaxEcho(value, before)
    case 'io.weight':
    case 'io.bfq.weight':
      return weightEcho(file, value, before)
    case 'io.latency':
      return withLine(before, lineKey(value), value.endsWith('=max') ? undefined : value)
    case 'misc.max':
      return withLine(before, lineKey(value), value)
    default:
      return undefined
  }
}

/** The bytes of `'256M'`. Source: lib/cmdline.c, memparse. */
export function bytesIn(text: string): bigint {
  const [, digits = '0', suffix = ''] = /^(\d+)([KMGTPE]?)$/i.exec(text) ?? []
  return BigInt(digits) << BigInt(10 * SUFFIXES.indexOf(suffix.toUpperCase()))
}

/** Whole pages, rounded down; the largest number of them is "no limit". Source: mm/page_counter.c. */
function bytesEcho(value: string, page: bigint): string {
  if (!/^\d/.test(value)) return value
  const bytes = bytesIn(value)
  return bytes >= LONG_MAX - (LONG_MAX % page) ? 'max' : String(bytes - (bytes % page))
}

/** A quota alone keeps the period. Source: kernel/sched/core.c, cpu_max_write. */
function bandwidthEcho(value: string, before: string): string {
  const [quota = 'max', period] = value.split(/\s+/)
  const [, periodNow = '100000'] = before.split(' ')
  return `${quota} ${period ?? periodNow}`
}

/** A line for each device that has any limit, with all four. Source: block/blk-throttle.c, tg_prfill_limit. */
function ioMaxEcho(value: string, before: string): string {
  const device = lineKey(value)
  const limits = mergeLimits(lineFor(before, device) ?? '', value.slice(device.length + 1))
  const all = LIMITS_IN_IO_MAX.map((name) => `${name}=${limits.get(name) ?? 'max'}`)
  const isFree = all.every((limit) => limit.endsWith('=max'))
  return withLine(before, device, isFree ? undefined : [device, ...all].join(' '))
}

/**
 * The line of all devices, and one for each that has its own. BFQ takes away those of the devices when that of all is
 * written (block/bfq-cgroup.c, bfq_io_set_weight); iocost keeps them.
 */
function weightEcho(file: string, value: string, before: string): string {
  const key = lineKey(value)
  if (key === 'default') return file === 'io.bfq.weight' ? value : withLine(before, key, value)
  return withLine(before, key, value === `${key} default` ? undefined : value)
}

/** A text of lines with the one of `key` put in its place, at the end where there was none, or taken out. */
function withLine(text: string, key: string, line: string | undefined): string {
  const lines = text.split('\n').filter((each) => each !== '')
  const at = lines.findIndex((each) => lineKey(each) === key)
  const place = at === -1 ? lines.length : at
  return lines.toSpliced(place, at === -1 ? 0 : 1, ...(line === undefined ? [] : [line])).join('\n')
}
