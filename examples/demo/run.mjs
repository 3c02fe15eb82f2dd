import { Cleanup } from './cleanup.mjs'
import { abortAtTheEnd } from './endings.mjs'
import { explainFailure } from './failures.mjs'

/**
 * Runs a story to its end, or to the point where a signal or an error ends it, and cleans up after it in any case.
 * Sets the exit code: 0, what `explainFailure` says, or 128 and the signal's number.
 *
 * @param {(signal: AbortSignal, cleanup: Cleanup) => Promise<void>} story
 */
export async function run(story) {
  const signal = abortAtTheEnd()
  const cleanup = new Cleanup()
  try {
    await story(signal, cleanup)
  } catch (error) {
    // What is aborted rejects in many ways, all for one reason.
    process.exitCode = explainFailure(signal.aborted ? signal.reason : error)
  }
  const isDone = await cleanup.run()
  if (signal.aborted) process.exitCode = signal.reason.exitCode
  if (!isDone) process.exitCode = 1
}
