import { pageBytesOf } from './huge-page-size'
import { isKeyed, lineKey } from './keyed-lines'

/** What a new cgroup of a kernel without further settings has. */
const UNLIMITED: ReadonlyMap<string, string> = new Map([
  ['cpu.shares', '1024'],
  ['cpu.idle', '0'],
  ['cpu.cfs_quota_us', '-1'],
  ['cpu.cfs_period_us', '100000'],
  ['cpu.cfs_burst_us', '0'],
  ['cpu.rt_runtime_us', '0'],
  ['cpu.rt_period_us', '1000000'],
  ['memory.limit_in_bytes', '-1'],
  ['memory.memsw.limit_in_bytes', '-1'],
  ['memory.soft_limit_in_bytes', '-1'],
  ['memory.oom_control', '0'],
  ['pids.max', 'max'],
  // CFQ_WEIGHT_LEGACY_DFL and BFQ_WEIGHT_LEGACY_DFL.
  ['blkio.weight', '500'],
  ['blkio.leaf_weight', '500'],
  ['blkio.bfq.weight', '100'],
  ['net_cls.classid', '0'],
])

/** The line that takes away what such a line had set. */
function unlimitedLine(file: string, written: string): string {
  if (file === 'rdma.max') return written.replaceAll(/=\S+/g, '=max')
  // A 0 is ERANGE for bfq: block/bfq-cgroup.c, bfq_io_set_device_weight.
  return `${lineKey(written)} ${file === 'blkio.bfq.weight_device' ? 'default' : '0'}`
}

/**
 * What to write to a cgroup v1 knob so that it holds nobody back, as it is in a new cgroup.
 *
 * @param file Name of the knob, such as `'memory.limit_in_bytes'`.
 * @param written For knobs with a line per device or interface: what was written to it, such as `'8:0 1048576'`; its
 *   first word says which line goes.
 * @returns The text to write, such as `'-1'`, `'max'` or `'8:0 0'`. undefined where there is no such value: a cpuset
 *   follows its parent, swappiness comes from the parent at mkdir, hierarchical accounting has no way back.
 */
export function unlimitedValue(file: string, written?: string): string | undefined {
  if (pageBytesOf(file) !== undefined) return '-1'
  if (!isKeyed(file)) return UNLIMITED.get(file)
  return written === undefined ? undefined : unlimitedLine(file, written)
}
