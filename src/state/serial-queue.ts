/** Runs tasks one after the other, in the order they came. A task that fails does not stop those behind it. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve()

  /**
   * @param signal gives the task's place up while it has not begun: it rejects at once, and never runs.
   * @throws `signal.reason` after an abort; what the task throws.
   */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(signal?.reason)
      signal?.addEventListener('abort', giveUp, { once: true })
      const turn = this.#last.then(() => {
        signal?.removeEventListener('abort', giveUp)
        signal?.throwIfAborted()
        return task()
      })
      turn.then(resolve, reject)
      // What came of it is the caller's alone: here it would be kept until the next task.
      this.#last = turn.then(nothing, nothing)
    })
  }
}

function nothing(): void {}
