import type { Demand } from './knob'

/** The demands with that for `later` put right behind that for `first`, where it stood before it. */
export function inOrder(demands: readonly Demand[], first: string, later: string): readonly Demand[] {
  const at = demands.findIndex(({ file }) => file === first)
  const from = demands.findIndex(({ file }) => file === later)
  const moved = demands[from]
  if (moved === undefined || at < from) return demands
  return [...demands.slice(0, from), ...demands.slice(from + 1, at + 1), moved, ...demands.slice(at + 1)]
}
