import { pageBytesOf } from './huge-page-size'
import { hasNamedLimits, isKeyed, lineKey } from './keyed-lines'

/** What a new cgroup of a kernel without further settings has. */
const UNLIMITED: ReadonlyMap<string, string> = new Map([
  ['cpu.shares', '1024'],
  ['cpu.idle', '0'],
  ['cpu.cfs_quota_us', '-1'],
  ['cpu.cfs_period_us', '100000'],
  ['cpu.cfs_burst_us', '0'],
  ['cpu.rt_runtime_us', '0'],
  ['cpu.rt_period_us', '1000000'],
  ['cpu.weight', '100'],
  ['cpu.weight.nice', '0'],
  ['cpu.max', 'max 100000'],
  ['cpu.max.burst', '0'],
  ['cpu.uclamp.min', '0.00'],
  ['cpu.uclamp.max', 'max'],
  ['cpuset.cpus.partition', 'member'],
  ['memory.limit_in_bytes', '-1'],
  ['memory.memsw.limit_in_bytes', '-1'],
  ['memory.soft_limit_in_bytes', '-1'],
  ['memory.oom_control', '0'],
  ['memory.min', '0'],
  ['memory.low', '0'],
  ['memory.high', 'max'],
  ['memory.max', 'max'],
  ['memory.oom.group', '0'],
  ['memory.swap.high', 'max'],
  ['memory.swap.max', 'max'],
  ['memory.zswap.max', 'max'],
  ['memory.zswap.writeback', '1'],
  ['pids.max', 'max'],
  // CFQ_WEIGHT_LEGACY_DFL and BFQ_WEIGHT_LEGACY_DFL.
  ['blkio.weight', '500'],
  ['blkio.leaf_weight', '500'],
  ['blkio.bfq.weight', '100'],
  ['net_cls.classid', '0'],
  ['cgroup.max.depth', 'max'],
  ['cgroup.max.descendants', 'max'],
  ['cgroup.pressure', '1'],
])

/** CGROUP_WEIGHT_DFL, and that of BFQ: the weight on every device that has none of its own. */
const DEFAULT_LINE = 'default 100'

/** The line that takes away what such a line had set. */
function unlimitedLine(file: string, written: string): string {
  if (hasNamedLimits(file)) return written.replaceAll(/=\S+/g, '=max')
  const key = lineKey(written)
  if (file === 'misc.max') return `${key} max`
  if (file === 'io.weight' || file === 'io.bfq.weight') {
    return key === 'default' ? DEFAULT_LINE : `${key} default`
  }
  // A 0 is ERANGE for bfq: block/bfq-cgroup.c, bfq_io_set_device_weight.
  return `${key} ${file === 'blkio.bfq.weight_device' ? 'default' : '0'}`
}

/**
 * What to write to a knob so that it holds nobody back, as it is in a new cgroup.
 *
 * @param file Name of the knob, such as `'memory.limit_in_bytes'`.
 * @param written For knobs with a line per device or interface: what was written to it, such as `'8:0 1048576'`; its
 *   first word says which line goes.
 * @returns The text to write, such as `'-1'`, `'max'` or `'8:0 0'`. undefined where there is no such value: a v1 cpuset
 *   follows its parent, swappiness comes from the parent at mkdir, hierarchical accounting has no way back.
 */
export function unlimitedValue(file: string, written?: string): string | undefined {
  if (pageBytesOf(file) !== undefined) return file.endsWith('_in_bytes') ? '-1' : 'max'
  if (!isKeyed(file)) return UNLIMITED.get(file)
  return written === undefined ? undefined : unlimitedLine(file, written)
}

const LISTS: readonly string[] = ['cpuset.cpus', 'cpuset.mems', 'cpuset.cpus.exclusive']

/** Lists of CPUs and memory nodes; an empty one of v2 follows the parent's. */
export function isList(file: string): boolean {
  return LISTS.includes(file)
}

/** Empties a list: a write of nothing at all would not reach the kernel's cpusets. */
export const EMPTY_LIST = '\n'

/** {@link unlimitedValue}, and for a cpuset of v2 what makes it follow its parent. */
export function liftedValue(version: 1 | 2, file: string, written: string): string | undefined {
  return version === 2 && isList(file) ? EMPTY_LIST : unlimitedValue(file, written)
}

/** Whether what was written takes a limit away, and sets none. */
export function isLift({ file, value }: { readonly file: string; readonly value: string }): boolean {
  return value === unlimitedValue(file, value) || (value === EMPTY_LIST && isList(file))
}
