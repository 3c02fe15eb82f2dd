import type { Report } from './engine/report'
import type { Sandbox } from './sandbox'

/** What came of one sandbox among many: its report, or what its `apply()` would have thrown. */
export type AppliedSandbox =
  | { readonly sandbox: Sandbox; readonly report: Report; readonly error?: undefined }
  | { readonly sandbox: Sandbox; readonly report?: undefined; readonly error: unknown }

/**
 * One entry for each place of the list, in its order: a sandbox that is in it twice was applied once.
 *
 * @param ended what came of each, without repetitions.
 * @throws `signal.reason` when an abort has kept one of them from being applied.
 */
export function appliedSandboxes(
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
