import { canonicalCpuList } from '../cpu-list'
import { afterDeviceWrite } from '../devices/after-device-write'
import { formatDevicesList, parseDevicesList } from '../devices/device-access'
import type { DeviceWrite } from '../devices/device-writes'
import { echoV2 } from './echo-v2'
import { isKeyed, lineFor, lineKey } from './keyed-lines'
import { mergeLimits } from './named-limits'
import { DEFAULT_PAGE_SIZE, pageOf } from './pages'
import { EMPTY_LIST, isList, unlimitedValue } from './unlimited'

const LONG_MAX = 2n ** 63n - 1n

/**
 * What a knob says once the kernel has taken a write: limits in whole pages, CPU lists in canonical form, one line of
 * many replaced.
 *
 * @param before what it said until then.
 * @param pageSize Bytes of a page of memory.
 */
export function kernelEcho(
  file: string,
  value: string,
  before: string,
  pageSize: number = DEFAULT_PAGE_SIZE,
): string {
  const page = pageOf(file, pageSize)
  const text = echoV2(file, value, before, page)
  if (text !== undefined) return text
  if (page !== undefined) return wholePages(value, BigInt(page))
  if (isList(file)) return canonicalCpuList(value)
  if (file === 'memory.oom_control')
    return before.replace(/^oom_kill_disable .*$/m, `oom_kill_disable ${value}`)
  if (isKeyed(file)) return replaceLine(file, value, before)
  return before.split('\n').includes(value) ? before : value
}

function wholePages(value: string, page: bigint): string {
  const bytes = value === '-1' ? LONG_MAX : BigInt(value)
  return String(bytes - (bytes % page))
}

function replaceLine(file: string, line: string, before: string): string {
  const key = lineKey(line)
  const others = before.split('\n').filter((other) => other !== '' && lineKey(other) !== key)
  const value = line.slice(key.length + 1)
  if (file === 'rdma.max') {
    const limits = [...mergeLimits(lineFor(before, key) ?? '', value)].map((limit) => limit.join('='))
    return [...others, [key, ...limits].join(' ')].join('\n')
  }
  const isLifted = value === '0' || value === 'default'
  return (isLifted && file !== 'net_prio.ifpriomap' ? others : [...others, line]).join('\n')
}

/**
 * What to write to a knob so that it says again what it said before a write; undefined where that cannot be told.
 *
 * @param version of the knob's hierarchy: a list of v1 that was filled stays so.
 * @param value what is written.
 * @param before the knob's whole text before that.
 */
export function undoValue(version: 1 | 2, file: string, value: string, before: string): string | undefined {
  if (version === 2 && isList(file) && before === '') return EMPTY_LIST
  if (file === 'memory.oom_control') return /^oom_kill_disable (.*)$/m.exec(before)?.[1]
  if (!isKeyed(file)) return before === '' ? undefined : before
  const key = lineKey(value)
  const line = lineFor(before, key)
  return line === undefined ? unlimitedValue(file, value) : `${key} ${line}`
}

/** `devices.list` after a write to `devices.allow` or `devices.deny`. */
export function devicesListAfter(list: string, write: DeviceWrite): string {
  return formatDevicesList(afterDeviceWrite(parseDevicesList(list), write)).trimEnd()
}

/**
 * Whether a knob of v2 can be counted on in a cgroup that is still to be made. BFQ's comes and goes with a module, and
 * there is another to write weights to.
 *
 * @param inParent what it says in the cgroup above; undefined where that does not have it.
 */
export function isExpected(file: string, inParent: string | undefined): boolean {
  return file !== 'io.bfq.weight' || inParent !== undefined
}

/**
 * What a knob says in a cgroup that was just made.
 *
 * @param inParent what it says in the parent, which tells that the kernel has it, and is inherited where it has no
 *   value of its own (memory.swappiness, devices.list, cpuset.cpus.effective).
 */
export function newKnobValue(file: string, inParent: string): string {
  if (isKeyed(file)) return newLines(file, inParent)
  if (isList(file)) return ''
  if (file === 'memory.oom_control') return 'oom_kill_disable 0\nunder_oom 0\noom_kill 0'
  // Below what is frozen all are, from the beginning. The root has no state.
  if (file === 'freezer.state') return inParent === '' ? 'THAWED' : inParent
  if (file.endsWith('usage_in_bytes') || file.endsWith('.current')) return '0'
  const value = unlimitedValue(file)
  return value === undefined ? inParent : kernelEcho(file, value, '')
}

function newLines(file: string, inParent: string): string {
  switch (file) {
    case 'io.weight':
    case 'io.bfq.weight':
      return unlimitedValue(file, 'default') ?? ''
    case 'misc.max':
    case 'rdma.max':
      return inParent
        .split('\n')
        .map((line) => (line === '' ? '' : (unlimitedValue(file, line) ?? line)))
        .join('\n')
    case 'net_prio.ifpriomap':
      return inParent
    default:
      return ''
  }
}
