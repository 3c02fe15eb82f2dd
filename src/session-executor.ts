import { DEFAULT_DEADLINE_MS } from './engine/deadline'
import { kernelExecutor, type StageExecutor } from './engine/execute'
import { freeze } from './engine/freezer-v1'
import type { Roots } from './engine/lane'
import { standingStill } from './engine/standing-still'
import type { Host } from './host/detect'
import { type Standstill, standstillFor } from './plan/stand-still'
import type { SandboxStore } from './state/sandbox-store'

/** What the writes of a session need to know of it. */
export interface WritingSession {
  readonly host: Host
  readonly roots: Roots
  readonly store: SandboxStore
  /** @default DEFAULT_DEADLINE_MS */
  readonly writeTimeoutMs: number | undefined
  readonly remember: (standstill: Standstill | null) => Promise<void>
}

/** Writes to the kernel for a session: the lock stays while the kernel is at it, and what is frozen is remembered. */
export function sessionExecutor(session: WritingSession): StageExecutor {
  const { host, roots, store, writeTimeoutMs: deadlineMs = DEFAULT_DEADLINE_MS, remember } = session
  const onOverdue = (work: Promise<unknown>) => store.keepLockedUntil(work)
  return standingStill(kernelExecutor(roots, { deadlineMs, onOverdue }), {
    begin: async (operation, writes, options) => {
      await remember(standstillFor(operation, writes))
      await freeze(roots, host.hierarchies, operation.path, options)
    },
    end: () => remember(null),
  })
}
