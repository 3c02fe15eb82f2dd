import type { LinuxMemory } from '../generated/oci'
import { boolean, bytesOrUnlimited, integer, refuse, refuseDemand } from './fields'
import { byFile, type Demand, type DemandContext, type KnobTexts, present } from './knob'
import type { OnUnsupported } from './unsupported'

const LIMIT = 'memory.limit_in_bytes'
const MEMSW = 'memory.memsw.limit_in_bytes'

/** What no limit is to the order of writes: more than any, as the kernel's own largest number is. */
const NONE = Number.POSITIVE_INFINITY

/**
 * What `linux.resources.memory` asks of the memory controller, still in no order. A 0 is "not set" for every limit.
 *
 * Source: OCI runtime-spec config-linux.md, memory; kernel, Documentation/admin-guide/cgroup-v1/memory.rst.
 */
export function memoryDemands(memory: LinuxMemory, { now, onUnsupported }: DemandContext): Demand[] {
  refuseKernelMemory('kernel', memory.kernel, onUnsupported)
  refuseKernelMemory('kernelTCP', memory.kernelTCP, onUnsupported)
  const limit = bytesOrUnlimited('memory.limit', memory.limit)
  const swap = bytesOrUnlimited('memory.swap', memory.swap)
  const swappiness = integer('memory.swappiness', memory.swappiness, { min: 0, max: 100 })
  const isKillerDisabled = boolean('memory.disableOOMKiller', memory.disableOOMKiller)
  const soft = bytesOrUnlimited('memory.reservation', memory.reservation)
  if (boolean('memory.checkBeforeUpdate', memory.checkBeforeUpdate) === true) {
    refuseBelowUsage('memory.limit', limit, 'memory.usage_in_bytes', now)
    refuseBelowUsage('memory.swap', swap, 'memory.memsw.usage_in_bytes', now)
  }
  return [
    ...hierarchyDemand(memory, now, onUnsupported),
    ...one(LIMIT, 'memory.limit', limit),
    ...one(MEMSW, 'memory.swap', swap),
    ...one('memory.soft_limit_in_bytes', 'memory.reservation', soft),
    ...one('memory.swappiness', 'memory.swappiness', swappiness),
    ...one(
      'memory.oom_control',
      'memory.disableOOMKiller',
      isKillerDisabled === undefined ? undefined : Number(isKillerDisabled),
    ),
  ]
}

function one(file: string, field: string, value: string | number | undefined): Demand[] {
  return value === undefined ? [] : [{ controller: 'memory', file, value: String(value), field }]
}

/** Source: kernel, Documentation/admin-guide/cgroup-v1/memory.rst, which calls both knobs deprecated. */
const KERNEL_MEMORY = {
  kernel: 'cannot be kept: since Linux 5.16 the kernel takes this limit and ignores it',
  kernelTCP: 'is not applied: the kernel calls its knob deprecated, and runtimes have long ignored it',
} as const

function refuseKernelMemory(
  name: keyof typeof KERNEL_MEMORY,
  value: number | undefined,
  onUnsupported: OnUnsupported,
): void {
  const field = `memory.${name}`
  const bytes = bytesOrUnlimited(field, value)
  if (bytes === undefined || bytes === '-1') return
  const hint = `leave ${field} out: kernel memory counts against memory.limit`
  onUnsupported(refuse('ERR_VMCG_UNSUPPORTED', field, value, KERNEL_MEMORY[name], hint))
}

function refuseBelowUsage(field: string, limit: string | undefined, usageFile: string, now: KnobTexts): void {
  const usage = now.number(usageFile, 0)
  if (limit === undefined || limit === '-1' || Number(limit) >= usage) return
  const why = `is below the ${usage} bytes in use (${usageFile}), and memory.checkBeforeUpdate is set`
  throw refuse('ERR_VMCG_OUT_OF_RANGE', field, Number(limit), why)
}

/** Since Linux 5.11 every memory cgroup is hierarchical, and writing 0 is EINVAL. */
function hierarchyDemand(memory: LinuxMemory, now: KnobTexts, onUnsupported: OnUnsupported): Demand[] {
  const file = 'memory.use_hierarchy'
  const field = 'memory.useHierarchy'
  const isAsked = boolean(field, memory.useHierarchy)
  if (isAsked === false && now.text(file) !== '0') {
    const why = 'cannot be kept: memory cgroups are hierarchical, since Linux 5.11 all of them'
    onUnsupported(refuse('ERR_VMCG_UNSUPPORTED', field, isAsked, why, `leave ${field} out`))
  }
  return isAsked === true ? one(file, field, 1) : []
}

/**
 * Checks limit and memory+swap against each other and against what the cgroup has, and puts them in order. The kernel
 * refuses a limit above memory+swap at each write (mm/memcontrol-v1.c, mem_cgroup_resize_max, EINVAL): where the new
 * limit fits below the old memory+swap it goes first, otherwise last.
 */
export function arrangeMemory(
  demands: readonly Demand[],
  { now, pageSize }: Pick<DemandContext, 'now' | 'pageSize'>,
): Demand[] {
  const wanted = byFile(demands)
  const limit = wanted.get(LIMIT)
  const swap = wanted.get(MEMSW) ?? followingSwap(limit, now)
  const others = demands.filter(({ file }) => file !== LIMIT && file !== MEMSW)
  const inPages = (bytes: number) => (bytes === NONE ? NONE : Math.floor(bytes / pageSize))
  const swapNow = inPages(bytesOf(now.text(MEMSW)))
  const limitAfter = inPages(bytesOf(limit?.value ?? now.text(LIMIT)))
  const swapAfter = swap === undefined ? swapNow : inPages(bytesOf(swap.value))
  if (limitAfter > swapAfter && swap !== undefined)
    throw swapBelowLimit(swap, limit?.value ?? now.text(LIMIT))
  if (limitAfter > swapAfter && limit !== undefined) throw limitAboveSwap(limit, now.text(MEMSW))
  const isLimitFirst = limitAfter <= swapNow
  return [...others, ...(isLimitFirst ? present(limit, swap) : present(swap, limit))]
}

function bytesOf(text: string | undefined): number {
  return text === undefined || text === '-1' ? NONE : Number(text)
}

/** No limit on memory means none on memory+swap either, as runc takes it; a new cgroup has none. */
function followingSwap(limit: Demand | undefined, now: KnobTexts): Demand | undefined {
  if (limit?.value !== '-1' || !now.areKnown || !now.has(MEMSW)) return undefined
  return { ...limit, file: MEMSW }
}

function swapBelowLimit(swap: Demand, limit: string | undefined): Error {
  if (bytesOf(limit) > Number.MAX_SAFE_INTEGER) {
    const why = 'is a limit of memory and swap together, and memory alone has none'
    return refuseDemand('ERR_VMCG_INVALID_ARGUMENT', swap, why, 'set memory.limit as well')
  }
  const why = `is below the memory limit of ${limit} bytes, and it limits memory and swap together`
  return refuseDemand('ERR_VMCG_OUT_OF_RANGE', swap, why, 'set memory.swap to at least memory.limit')
}

function limitAboveSwap(limit: Demand, memsw: string | undefined): Error {
  const why = `is above the cgroup's limit of memory and swap together, ${memsw} bytes`
  const hint = 'set memory.swap as well'
  return refuseDemand('ERR_VMCG_OUT_OF_RANGE', limit, why, hint)
}
