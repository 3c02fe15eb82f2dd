import { turns } from './turns'

/** One of those that meet. */
export interface Seat {
  /** Resolves when all have come, or when nobody else comes for some time. Only the first call waits. */
  ready(): Promise<void>
  /** Whoever has ended, or has nothing to write, is not waited for. Safe to call twice, and after `ready()`. */
  leave(): void
}

/**
 * When nobody comes for so long, the others are not waited for: a hypervisor that does not answer, or the lock of
 * another process, must not keep everybody. Who is late pays for a grace period of its own, which takes far less. Looked
 * at in several ticks, since a host that is busy lets a timer go off before what was ready at the same time.
 */
const TICK_MS = 50
const QUIET_TICKS = 5

/**
 * Where many sandboxes wait for each other before they migrate threads, so that one burst of the lane, and one grace
 * period of the kernel, serve all of them. They go on one per turn of the event loop.
 */
export class Rendezvous {
  readonly #held: (() => void)[] = []
  #missing: number
  #ticks: NodeJS.Timeout | undefined
  #quietTicks = 0
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
    this.#quietTicks = 0
    if (this.#missing <= 0) this.#goOn()
    else if (!this.#isOver && this.#held.length > 0) this.#ticks ??= setInterval(() => this.#tick(), TICK_MS)
  }

  #tick(): void {
    this.#quietTicks += 1
    if (this.#quietTicks >= QUIET_TICKS) this.#goOn()
  }

  #goOn(): void {
    this.#isOver = true
    clearInterval(this.#ticks)
    for (const resolve of this.#held.splice(0)) turns.run(resolve)
  }
}
