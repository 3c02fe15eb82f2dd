import { PerformanceObserver } from 'node:perf_hooks'

/** The longest that the event loop was away while something ran, and how much of that was garbage collection. */
export class LoopWatch {
  /** Of the longest stall, in the milliseconds of `performance.now()`. */
  #start = 0
  #end = 0
  /** @type {{ startTime: number, duration: number }[]} */
  #collections = []
  #observer = new PerformanceObserver((list) => this.#collections.push(...list.getEntries()))

  constructor() {
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  /**
   * @param {() => Promise<void>} run
   * @returns {Promise<number>} microseconds
   */
  async watch(run) {
    this.#collections = []
    this.#start = this.#end = 0
    let last = performance.now()
    let isRunning = true
    const look = () => {
      const now = performance.now()
      if (now - last > this.#end - this.#start) [this.#start, this.#end] = [last, now]
      last = now
    }
    const lookOn = () => {
      look()
      if (isRunning) setImmediate(lookOn)
    }
    setImmediate(lookOn)
    try {
      await run()
    } finally {
      isRunning = false
    }
    // The last turn may have been the longest.
    look()
    return (this.#end - this.#start) * 1000
  }

  /** Of the longest stall. Node tells of a collection some turns after it. */
  collectionUs() {
    return this.#collections.reduce((sum, { startTime, duration }) => {
      const within = Math.min(startTime + duration, this.#end) - Math.max(startTime, this.#start)
      return sum + Math.max(0, within) * 1000
    }, 0)
  }

  end() {
    this.#observer.disconnect()
  }
}
