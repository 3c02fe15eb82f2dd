import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits so many milliseconds.
 *
 * @throws `signal.reason` after an abort, as everything here does; the timer's own error would only carry it as its
 *   cause.
 */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
