import { constants } from 'node:os'

/** What ends the bench early, in words that need no stack trace. Exit code 2: it cannot run here. */
export class Ending extends Error {
  /**
   * @param {string} message
   * @param {number} [exitCode]
   */
  constructor(message, exitCode = 2) {
    super(message)
    this.exitCode = exitCode
  }
}

/**
 * @returns {AbortSignal} aborted by what would else end the process before it has cleaned up; also by a second Ctrl-C
 */
export function abortAtTheEnd() {
  const controller = new AbortController()
  /** @param {'SIGHUP' | 'SIGINT' | 'SIGPIPE' | 'SIGTERM'} name */
  const end = (name) => controller.abort(new Ending(`ended by ${name}`, 128 + constants.signals[name]))
  for (const name of /** @type {const} */ (['SIGHUP', 'SIGINT', 'SIGTERM'])) process.on(name, end)
  // The reader of `npm run bench | head` may leave.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => end('SIGPIPE'))
  return controller.signal
}
