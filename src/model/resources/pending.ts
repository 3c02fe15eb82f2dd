import { refuseDemand } from './fields'
import { isKept } from './kept'
import { lineFor, lineKey, showsEveryKey } from './keyed-lines'
import type { Demand, KnobTexts } from './knob'
import { unlimitedValue } from './unlimited'

/** What to do about a knob that this kernel does not have. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['memory.memsw.limit_in_bytes', 'boot with swapaccount=1, or leave memory.swap out'],
  ['cpu.cfs_burst_us', 'it came with Linux 5.14'],
  ['cpu.idle', 'it came with Linux 5.15'],
  ['cpu.rt_runtime_us', 'it takes a kernel with CONFIG_RT_GROUP_SCHED, and rt_group_sched=1 at boot'],
  ['cpu.rt_period_us', 'it takes a kernel with CONFIG_RT_GROUP_SCHED, and rt_group_sched=1 at boot'],
  ['blkio.leaf_weight', 'it went with CFQ in Linux 5.0'],
  ['blkio.leaf_weight_device', 'it went with CFQ in Linux 5.0'],
  ['blkio.bfq.weight', 'it takes a kernel with BFQ: modprobe bfq'],
  ['blkio.bfq.weight_device', 'it takes a kernel with BFQ: modprobe bfq; for single devices also Linux 5.4'],
])

/**
 * Whether a demand still has to be written, by what the kernel says now.
 *
 * @throws `ERR_VMCG_UNSUPPORTED` for a limit whose knob the kernel does not have. Where there is no knob, there is no
 *   limit to lift either.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for a network interface or RDMA device that does not exist.
 */
export function isPending(demand: Demand, now: KnobTexts, pageSize: number | undefined): boolean {
  const { field, file, value } = demand
  if (!now.areKnown) return true
  const text = now.text(file)
  if (text === undefined) {
    if (field === undefined || isNoLimit(demand)) return false
    const why = `cannot be set: this kernel has no ${file}`
    throw refuseDemand('ERR_VMCG_UNSUPPORTED', demand, why, REMEDIES.get(file))
  }
  const key = lineKey(value)
  if (showsEveryKey(file) && lineFor(text, key) === undefined) {
    if (field === undefined) return false
    throw refuseDemand('ERR_VMCG_INVALID_ARGUMENT', demand, `cannot be set: ${file} knows no ${key}`)
  }
  return demand.isReset === true || !isKept(file, value, text, { pageSize })
}

/** A weight is none by itself: it says how much of what there is, whatever the number. */
function isNoLimit({ file, value }: Demand): boolean {
  return !file.includes('weight') && value === unlimitedValue(file, value)
}
