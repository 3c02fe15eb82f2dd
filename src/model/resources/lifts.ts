import { placeOf } from './keyed-lines'
import type { Demand, KnobWrite } from './knob'
import { liftedValue } from './unlimited'

/** The demands that take back what was written before, the latest last, and that nobody asks for any more. */
export function lifts(
  version: 1 | 2,
  previous: readonly KnobWrite[],
  asked: readonly Demand[],
): readonly Demand[] {
  const kept = new Set(asked.map(placeOf))
  const lifted = new Map(previous.map((write) => [placeOf(write), write]))
  return [...lifted].flatMap(([place, { controller, file, value: written }]) => {
    const value = liftedValue(version, file, written)
    if (value === undefined || value === written || kept.has(place)) return []
    return [{ controller, file, value, field: undefined }]
  })
}
