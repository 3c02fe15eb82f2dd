import type { QmpObject } from './qmp-messages'

/** One event of the VMM, such as `STOP`, `DEVICE_DELETED` or `SHUTDOWN`. */
export interface QmpEvent {
  readonly event: string
  /** The event's own members; empty for an event that has none. */
  readonly data: QmpObject
  /** How many events just before this one were dropped, because this consumer fell behind. 0 when none were. */
  readonly dropped: number
}

export interface QmpEventOptions {
  /** Ends the iteration with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
  /** So many unread events are kept; the oldest go first. At least 1; default 1024. */
  readonly limit?: number | undefined
}

interface Waiter {
  readonly resolve: (result: IteratorResult<QmpEvent, undefined>) => void
  readonly reject: (reason: unknown) => void
}

/** How an iteration ends: quietly, or by an error. */
type Ending = { readonly error?: unknown }

/**
 * The events of a connection as one consumer sees them: from the moment this was made, in order, in a bounded queue.
 * After the connection's end it still gives what is queued. It lets go of the connection when the loop is left.
 */
export class QmpEventStream implements AsyncIterableIterator<QmpEvent> {
  readonly #queue: QmpEvent[] = []
  readonly #waiters: Waiter[] = []
  readonly #limit: number
  readonly #onEnd: (stream: QmpEventStream) => void
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = (): void => this.end({ error: this.#signal?.reason })
  #dropped = 0
  #ending: Ending | undefined

  /** @param onEnd called once, when nothing more should be pushed */
  constructor(options: QmpEventOptions, onEnd: (stream: QmpEventStream) => void) {
    this.#limit = options.limit ?? 1024
    this.#onEnd = onEnd
    this.#signal = options.signal
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  push(event: string, data: QmpObject): void {
    if (this.#ending !== undefined) return
    const waiter = this.#waiters.shift()
    if (waiter !== undefined) {
      waiter.resolve({ done: false, value: { event, data, dropped: 0 } })
      return
    }
    this.#queue.push({ event, data, dropped: 0 })
    if (this.#queue.length > this.#limit) {
      this.#queue.shift()
      this.#dropped += 1
    }
  }

  end(ending: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#onEnd(this)
    for (const waiter of this.#waiters.splice(0)) this.#finish(waiter)
  }

  next(): Promise<IteratorResult<QmpEvent, undefined>> {
    return new Promise((resolve, reject) => {
      const event = this.#queue.shift()
      if (event !== undefined) {
        resolve({ done: false, value: { ...event, dropped: this.#dropped } })
        this.#dropped = 0
      } else if (this.#ending !== undefined) {
        this.#finish({ resolve, reject })
      } else {
        this.#waiters.push({ resolve, reject })
      }
    })
  }

  return(): Promise<IteratorResult<QmpEvent, undefined>> {
    this.#queue.length = 0
    this.end({})
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** An error is told once; a further look finds the end, as with a generator. */
  #finish(waiter: Waiter): void {
    if (this.#ending?.error === undefined) {
      waiter.resolve({ done: true, value: undefined })
    } else {
      waiter.reject(this.#ending.error)
      this.#ending = {}
    }
  }
}
