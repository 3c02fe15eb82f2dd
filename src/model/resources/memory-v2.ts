import type { LinuxMemory } from '../generated/oci'
import { swapLimitV2 } from './conversions-v2'
import { boolean, bytesOrUnlimited, integer, refuse } from './fields'
import { byFile, type Demand, type DemandContext, type KnobTexts, present } from './knob'
import { noKnobOnV2 } from './unsupported'

const MAX = 'memory.max'
const SWAP = 'memory.swap.max'
const LOW = 'memory.low'

/**
 * What `linux.resources.memory` asks of the memory controller of v2. A 0 is "not set" for every limit. OCI limits
 * memory and swap together, v2 swap alone: the difference is written. No limit of memory means none of swap either, as
 * in runc.
 *
 * Source: OCI runtime-spec config-linux.md, memory; kernel, cgroup-v2.rst, memory interface files.
 */
export function memoryDemandsV2(memory: LinuxMemory, context: DemandContext): readonly Demand[] {
  refuseInexpressible(memory, context)
  const limit = bytesOrUnlimited('memory.limit', memory.limit)
  const both = bytesOrUnlimited('memory.swap', memory.swap)
  const low = bytesOrUnlimited('memory.reservation', memory.reservation)
  if (boolean('memory.checkBeforeUpdate', memory.checkBeforeUpdate) === true) {
    refuseBelowUsage(limit, both, context.now)
  }
  const swap = swapLimitV2(Number(limit ?? limitNow(context)), Number(both ?? 0))
  const isSwapAsked = both !== undefined || limit === '-1'
  const swapField = both === undefined ? 'memory.limit' : 'memory.swap'
  return [
    ...one(MAX, 'memory.limit', limit),
    ...one(SWAP, swapField, isSwapAsked && swap !== undefined ? String(swap) : undefined),
    ...one(LOW, 'memory.reservation', low),
  ]
}

function one(file: string, field: string, bytes: string | undefined): Demand[] {
  if (bytes === undefined) return []
  return [{ controller: 'memory', file, value: bytes === '-1' ? 'max' : bytes, field }]
}

/** The limit that stays where none is asked for; 0 where there is none, or it is ours and goes. */
function limitNow({ now, previous }: DemandContext): number {
  const text = now.text(MAX) ?? 'max'
  return text === 'max' || previous.some(({ file }) => file === MAX) ? 0 : Number(text)
}

function refuseBelowUsage(limit: string | undefined, both: string | undefined, now: KnobTexts): void {
  const used = now.number('memory.current', 0)
  const swapped = now.number('memory.swap.current', 0)
  refuseBelow('memory.limit', limit, used, 'memory.current')
  refuseBelow('memory.swap', both, used + swapped, 'memory.current and memory.swap.current')
}

function refuseBelow(field: string, limit: string | undefined, usage: number, files: string): void {
  if (limit === undefined || limit === '-1' || Number(limit) >= usage) return
  const why = `is below the ${usage} bytes in use (${files}), and memory.checkBeforeUpdate is set`
  throw refuse('ERR_VMCG_OUT_OF_RANGE', field, Number(limit), why)
}

function refuseInexpressible(memory: LinuxMemory, { onUnsupported }: DemandContext): void {
  const counted = 'kernel memory is counted with all other, and not apart'
  for (const field of ['memory.kernel', 'memory.kernelTCP'] as const) {
    const bytes = bytesOrUnlimited(field, field === 'memory.kernel' ? memory.kernel : memory.kernelTCP)
    if (bytes === undefined || bytes === '-1') continue
    onUnsupported(
      noKnobOnV2(field, Number(bytes), counted, 'set memory.limit, which holds kernel memory too'),
    )
  }
  const swappiness = integer('memory.swappiness', memory.swappiness, { min: 0, max: 100 })
  if (swappiness !== undefined) {
    const why = 'vm.swappiness is the same for the whole host'
    const hint = 'limit what may be swapped instead: memory.swap, or memory.swap.high in unified'
    onUnsupported(noKnobOnV2('memory.swappiness', swappiness, why, hint))
  }
  if (boolean('memory.disableOOMKiller', memory.disableOOMKiller) === true) {
    const why = 'what goes beyond memory.max is always killed'
    const hint = 'slow it down before that with memory.high in unified'
    onUnsupported(noKnobOnV2('memory.disableOOMKiller', true, why, hint))
  }
  if (boolean('memory.useHierarchy', memory.useHierarchy) === false) {
    const why = 'every cgroup is counted with those above it'
    onUnsupported(noKnobOnV2('memory.useHierarchy', false, why, 'leave memory.useHierarchy out'))
  }
}

/**
 * What gives room goes before what takes it: more swap before less memory, so that what has to go has somewhere to go;
 * less protection before less memory, and more of it after more memory.
 */
export function arrangeMemoryV2(demands: readonly Demand[], { now }: DemandContext): readonly Demand[] {
  const wanted = byFile(demands)
  const [max, swap, low] = [wanted.get(MAX), wanted.get(SWAP), wanted.get(LOW)]
  const others = demands.filter(({ file }) => file !== MAX && file !== SWAP && file !== LOW)
  const isGrowing = (demand: Demand | undefined, otherwise: string) =>
    demand !== undefined && bytesOf(demand.value) > bytesOf(now.text(demand.file) ?? otherwise)
  const isLowGrowing = isGrowing(low, '0')
  const isSwapGrowing = isGrowing(swap, 'max')
  return [
    ...present(isLowGrowing ? undefined : low, isSwapGrowing ? swap : undefined, max),
    ...present(isSwapGrowing ? undefined : swap, isLowGrowing ? low : undefined),
    ...others,
  ]
}

function bytesOf(text: string): number {
  return text === 'max' ? Number.POSITIVE_INFINITY : Number(text)
}
