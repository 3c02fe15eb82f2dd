import { formatCpuList, parseCpuList } from '../cpu-list'
import { afterDeviceWrite } from '../devices/after-device-write'
import { formatDevicesList, parseDevicesList } from '../devices/device-access'
import type { DeviceWrite } from '../devices/device-writes'
import { pageBytesOf } from './huge-page-size'
import { DEFAULT_PAGE_SIZE } from './kept'
import { isKeyed, lineFor, lineKey } from './keyed-lines'
import { unlimitedValue } from './unlimited'

const LONG_MAX = 2n ** 63n - 1n
const MEMORY_LIMIT = /^memory\..*limit_in_bytes$/

/**
 * What a cgroup v1 knob says once the kernel has taken a write: limits in whole pages, CPU lists in canonical form,
 * one line of many replaced.
 *
 * @param before what it said until then.
 */
export function kernelEcho(file: string, value: string, before: string): string {
  const page = pageBytesOf(file) ?? (MEMORY_LIMIT.test(file) ? DEFAULT_PAGE_SIZE : undefined)
  if (page !== undefined) return wholePages(value, BigInt(page))
  if (file === 'cpuset.cpus' || file === 'cpuset.mems') return formatCpuList(parseCpuList(value))
  if (file === 'memory.oom_control')
    return before.replace(/^oom_kill_disable .*$/m, `oom_kill_disable ${value}`)
  return isKeyed(file) ? replaceLine(file, value, before) : value
}

function wholePages(value: string, page: bigint): string {
  const bytes = value === '-1' ? LONG_MAX : BigInt(value)
  return String(bytes - (bytes % page))
}

function replaceLine(file: string, line: string, before: string): string {
  const key = lineKey(line)
  const others = before.split('\n').filter((other) => other !== '' && lineKey(other) !== key)
  const value = line.slice(key.length + 1)
  if (file === 'rdma.max')
    return [...others, `${key} ${mergeLimits(lineFor(before, key) ?? '', value)}`].join('\n')
  const isLifted = value === '0' || value === 'default'
  return (isLifted && file !== 'net_prio.ifpriomap' ? others : [...others, line]).join('\n')
}

/** `hca_handle=2 hca_object=max` with one of them replaced. */
function mergeLimits(limits: string, changed: string): string {
  const [name = ''] = changed.split('=')
  return limits
    .split(' ')
    .map((limit) => (limit.startsWith(`${name}=`) ? changed : limit))
    .join(' ')
}

/**
 * What to write to a knob so that it says again what it said before a write; undefined where that cannot be told.
 *
 * @param value what is written.
 * @param before the knob's whole text before that.
 */
export function undoValue(file: string, value: string, before: string): string | undefined {
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
 * What a knob says in a cgroup that was just made.
 *
 * @param inParent what it says in the parent, which tells that the kernel has it, and is inherited where it has no
 *   value of its own (memory.swappiness, devices.list).
 */
export function newKnobValue(file: string, inParent: string): string {
  if (isKeyed(file)) return file.startsWith('blkio.') ? '' : inParent
  if (file === 'cpuset.cpus' || file === 'cpuset.mems') return ''
  if (file === 'memory.oom_control') return 'oom_kill_disable 0\nunder_oom 0\noom_kill 0'
  if (file.endsWith('usage_in_bytes')) return '0'
  const value = unlimitedValue(file)
  return value === undefined ? inParent : kernelEcho(file, value, '')
}
