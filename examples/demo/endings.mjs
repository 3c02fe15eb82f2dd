import { constants } from 'node:os'
import { Failure } from './failures.mjs'

const PARENT_POLL_MS = 500

/**
 * Turns everything that can end the demo from outside into one AbortSignal. Its reason is a {@link Failure} with the
 * exit code that a shell reports for the signal. From then on no signal ends the process by itself, so that a second
 * Ctrl-C cannot break off the cleanup.
 *
 * @returns {AbortSignal}
 */
export function abortAtTheEnd() {
  const controller = new AbortController()
  /** @param {'SIGHUP' | 'SIGINT' | 'SIGPIPE' | 'SIGTERM'} name */
  const end = (name) => controller.abort(new Failure(`ended by ${name}`, 128 + constants.signals[name]))

  for (const name of /** @type {const} */ (['SIGHUP', 'SIGINT', 'SIGTERM'])) process.on(name, end)
  // The reader of `npm start | head` is gone after ten lines.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => end('SIGPIPE'))
  // An npm that gets SIGTERM ends and leaves its script behind, which then has another parent.
  const parent = process.ppid
  setInterval(() => process.ppid === parent || end('SIGTERM'), PARENT_POLL_MS).unref()
  return controller.signal
}
