import { turns } from './turns'

/** One of those that meet. */
export interface Seat {
  /** Resolves when all have come, or when nobody else comes for some time. Only the first call waits. */
  ready(): Promise<void>
  /** Whoever has ended, or has nothing to write, is not waited for. Safe to call twice, and after `ready()`. */
  leave(): void
}

/**
 * Who is late by more than this is not waited for: a hypervisor that does not answer, or the lock of another process,
 * must not keep the others. It then pays for a grace period of its own, which takes less.
 */
const PATIENCE_MS = 50

/**
 * Where many sandboxes wait for each other before they migrate threads, so that one burst of the lane, and one grace
 * period of the kernel, serve all of them. They go on one per turn of the event loop.
 */
export class Rendezvous {
  readonly #held: (() => void)[] = []
  #missing: number
  #patience: NodeJS.Timeout | undefined
  #isOver = false

  /** @param count how many seats will be taken. */
  constructor(count: number) {
    this.#missing = count
  }

  /** @param onSeen told once, when this one is ready or has left. */
  seat(onSeen: () => void = () => undefined): Seat {
    let isSeen = false
    const see = () => {
      if (isSeen) return
      isSeen = true
      this.#missing -= 1
      onSeen()
      this.#look()
    }
    return {
      ready: () => {
        if (isSeen || this.#isOver) {
          see()
          return Promise.resolve()
        }
        return new Promise((resolve) => {
          this.#held.push(resolve)
          see()
        })
      },
      leave: see,
    }
  }

  #look(): void {
    if (this.#missing <= 0) this.#goOn()
    else if (this.#held.length > 0) {
      this.#patience ??= setTimeout(() => this.#goOn(), PATIENCE_MS)
      this.#patience.refresh()
    }
  }

  #goOn(): void {
    this.#isOver = true
    clearTimeout(this.#patience)
    for (const resolve of this.#held.splice(0)) turns.run(resolve)
  }
}
