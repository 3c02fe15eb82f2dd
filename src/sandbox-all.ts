import { setMaxListeners } from 'node:events'
import type { Seat } from './engine/rendezvous'
import type { Report } from './engine/report'
import { together } from './engine/together'
import type { Sandbox } from './sandbox'
import type { ActOptions } from './sandbox-options'

/** What came of one sandbox among many: its report, or what its `apply()` would have thrown. */
export type AppliedSandbox =
  | { readonly sandbox: Sandbox; readonly report: Report; readonly error?: undefined }
  | { readonly sandbox: Sandbox; readonly report?: undefined; readonly error: unknown }

/**
 * A signal that goes off with the caller's, for many to listen to: Node warns of a leak when more than ten listen to one
 * (MaxListenersExceededWarning), and how many may listen to the caller's own is the caller's.
 */
export function signalForMany(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined) return undefined
  const forMany = AbortSignal.any([signal])
  setMaxListeners(0, forMany)
  return forMany
}

/**
 * Applies each of a list once, together.
 *
 * @param apply one of them, which waits at its seat before it moves threads.
 * @throws `signal.reason` when an abort has kept one of them from being applied.
 */
export async function applyTogether(
  sandboxes: readonly Sandbox[],
  { signal }: ActOptions,
  apply: (sandbox: Sandbox, options: ActOptions, seat: Seat) => Promise<Report>,
): Promise<readonly AppliedSandbox[]> {
  signal?.throwIfAborted()
  const forMany = signalForMany(signal)
  const ended = await together(new Set(sandboxes), (sandbox, seat) =>
    apply(sandbox, { signal: forMany }, seat),
  )
  return appliedSandboxes(sandboxes, ended, forMany)
}

/**
 * One entry for each place of the list, in its order: a sandbox that is in it twice was applied once.
 *
 * @param ended what came of each, without repetitions.
 * @throws `signal.reason` when an abort has kept one of them from being applied.
 */
function appliedSandboxes(
  sandboxes: readonly Sandbox[],
  ended: ReadonlyMap<Sandbox, PromiseSettledResult<Report>>,
  signal: AbortSignal | undefined,
): readonly AppliedSandbox[] {
  const isKept = [...ended.values()].some((one) => one.status === 'rejected' && one.reason === signal?.reason)
  if (isKept) signal?.throwIfAborted()
  return sandboxes.flatMap((sandbox): readonly AppliedSandbox[] => {
    const one = ended.get(sandbox)
    if (one === undefined) return []
    return one.status === 'fulfilled' ? [{ sandbox, report: one.value }] : [{ sandbox, error: one.reason }]
  })
}
