/**
 * Runs pieces of work one per turn of the event loop, in the order they came in, the first of a turn at once. Between
 * two of them the application's own timers and sockets have their turn, however many VMs are at work.
 */
export class Turns {
  readonly #waiting: (() => void)[] = []
  #isTaken = false

  run(work: () => void): void {
    if (this.#isTaken) {
      this.#waiting.push(work)
      return
    }
    this.#isTaken = true
    setImmediate(this.#next)
    work()
  }

  /** Resolves when it is the caller's turn. */
  next(): Promise<void> {
    return new Promise((resolve) => this.run(resolve))
  }

  // Node runs what a resolved promise leads to before it runs the next immediate.
  readonly #next = (): void => {
    const work = this.#waiting.shift()
    this.#isTaken = work !== undefined
    if (work === undefined) return
    setImmediate(this.#next)
    work()
  }
}

/** This thread's: it has one event loop, and everybody's work counts. */
export const turns = new Turns()
