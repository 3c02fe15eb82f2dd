import { refuseDemand } from './fields'
import { isKept } from './kept'
import { lineFor, lineKey, showsEveryKey } from './keyed-lines'
import type { Demand, DemandContext } from './knob'
import { liftedValue } from './unlimited'

/** What to do about a knob that this kernel does not have. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['memory.memsw.limit_in_bytes', 'boot with swapaccount=1, or leave memory.swap out'],
  ['memory.swap.max', 'boot with swapaccount=1, or leave memory.swap out'],
  ['cpu.cfs_burst_us', 'it came with Linux 5.14'],
  ['cpu.max.burst', 'it came with Linux 5.14'],
  ['cpu.idle', 'it came with Linux 5.15'],
  ['cpu.rt_runtime_us', 'it takes a kernel with CONFIG_RT_GROUP_SCHED, and rt_group_sched=1 at boot'],
  ['cpu.rt_period_us', 'it takes a kernel with CONFIG_RT_GROUP_SCHED, and rt_group_sched=1 at boot'],
  ['blkio.leaf_weight', 'it went with CFQ in Linux 5.0'],
  ['blkio.leaf_weight_device', 'it went with CFQ in Linux 5.0'],
  ['blkio.bfq.weight', 'it takes a kernel with BFQ: modprobe bfq'],
  ['blkio.bfq.weight_device', 'it takes a kernel with BFQ: modprobe bfq; for single devices also Linux 5.4'],
  ['io.max', 'it takes a kernel with CONFIG_BLK_DEV_THROTTLING'],
  ['io.weight', 'it takes a kernel with CONFIG_BLK_CGROUP_IOCOST, or with BFQ: modprobe bfq'],
])

/**
 * Whether a demand still has to be written, by what the kernel says now.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for a network interface, RDMA device or resource that does not exist. What
 *   `onUnsupported` makes of a limit whose knob is not there. Where there is no knob, there is no limit to lift either.
 */
export function isPending(
  version: 1 | 2,
  demand: Demand,
  { now, pageSize, onUnsupported }: DemandContext,
): boolean {
  const { field, file, value } = demand
  if (!now.areKnown) return true
  const text = now.text(file)
  if (text === undefined) {
    if (field !== undefined && !isNoLimit(version, demand)) {
      onUnsupported(refuseDemand('ERR_VMCG_UNSUPPORTED', demand, ...missing(version, demand)))
    }
    return false
  }
  const key = lineKey(value)
  // Of a cgroup of v2 that is still to be made nobody knows the lines, since the root has no such files.
  const isTold = version === 1 || text !== ''
  if (showsEveryKey(file) && isTold && lineFor(text, key) === undefined) {
    if (field === undefined) return false
    throw refuseDemand('ERR_VMCG_INVALID_ARGUMENT', demand, `cannot be set: ${file} knows no ${key}`)
  }
  return demand.isReset === true || !isKept(file, value, text, { pageSize })
}

/** On v2 the knobs of a controller are only where the cgroup above has it enabled. */
function missing(
  version: 1 | 2,
  { controller, file }: Demand,
): readonly [why: string, hint: string | undefined] {
  const remedy = REMEDIES.get(file)
  if (version === 1) return [`cannot be set: this kernel has no ${file}`, remedy]
  const enable = `enable its controller in the cgroup above: echo +${controller} > cgroup.subtree_control`
  return [`cannot be set: the cgroup has no ${file}`, remedy ?? enable]
}

/** A weight is none by itself: it says how much of what there is, whatever the number. */
function isNoLimit(version: 1 | 2, { file, value }: Demand): boolean {
  return !file.includes('weight') && value === liftedValue(version, file, value)
}
