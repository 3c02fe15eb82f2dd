import type { VmcgError } from '../../errors'
import { refuse } from './fields'

/** What becomes of a field that a version of cgroups, or a kernel, has nothing for: thrown, or told and left out. */
export type OnUnsupported = (refusal: VmcgError) => void

export const throwUnsupported: OnUnsupported = (refusal) => {
  throw refusal
}

/** The refusal of a field that cgroup v2 has no knob for: what there is instead, and why. */
export function noKnobOnV2(field: string, value: unknown, why: string, hint: string): VmcgError {
  return refuse('ERR_VMCG_UNSUPPORTED', field, value, `cannot be set on cgroup v2: ${why}`, hint)
}
