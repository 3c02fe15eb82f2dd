import type { TimeLimit } from './time-limit'

/** How often something that passes is tried in all: over six seconds, which a daemon-reexec takes on a busy host. */
export const TRIES = 7

const FIRST_PAUSE_MS = 100

/**
 * Waits before a second try, and twice as long before each one after that.
 *
 * @param attempt Of the one to come, from 2.
 * @param what As {@link TimeLimit.within}.
 */
export async function pauseBefore(attempt: number, limit: TimeLimit, what: string): Promise<void> {
  await limit.pause(FIRST_PAUSE_MS * 2 ** (attempt - 2), what)
}
