import type { KnobLines } from './cgroup-knobs'
import type { Refused } from './oci-runtime'

/** What a runtime made of resources: the knobs of the cgroup, or a refusal. */
export type Outcome = KnobLines | Refused

export const VMCG_REFUSES = 'vmcg refuses'
export const PEER_REFUSES = 'the peer refuses'

export function refusalOf(outcome: Promise<KnobLines>): Promise<Outcome> {
  return outcome.catch((error: unknown) => ({ refused: String(error) }))
}

/** The knobs that say something else, or who alone refuses. */
export function whereDifferent(ours: Outcome, theirs: Outcome): readonly string[] {
  if ('refused' in ours) return 'refused' in theirs ? [] : [VMCG_REFUSES]
  if ('refused' in theirs) return [PEER_REFUSES]
  const knobs = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])]
  return knobs.filter((knob) => String(ours[knob]) !== String(theirs[knob]))
}

export function answerAt(outcome: Outcome, where: string): unknown {
  return 'refused' in outcome ? outcome.refused : Reflect.get(outcome, where)
}
