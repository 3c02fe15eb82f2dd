/**
 * The longest that the event loop was away while something ran.
 *
 * @param {() => Promise<void>} run
 * @returns {Promise<number>} microseconds
 */
export async function longestStall(run) {
  let longest = 0
  let last = performance.now()
  let isRunning = true
  const look = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (isRunning) setImmediate(look)
  }
  setImmediate(look)
  try {
    await run()
  } finally {
    isRunning = false
  }
  // The last turn may have been the longest.
  return Math.max(longest, performance.now() - last) * 1000
}
