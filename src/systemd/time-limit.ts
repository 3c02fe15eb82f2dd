import { timeoutError } from './bus-errors'

/**
 * How long an operation may take as a whole, whatever number of calls it is made of, and its caller's wish to end it
 * earlier. Its timer is what keeps the process alive meanwhile: connections never do.
 */
export class TimeLimit {
  readonly timeoutMs: number
  readonly #signal: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout
  readonly #waiting = new Set<() => void>()
  #isOver = false
  readonly #end = (): void => {
    this.#isOver = true
    for (const giveUp of this.#waiting) giveUp()
  }

  /** @throws `signal.reason` when it is aborted already. */
  constructor(timeoutMs: number, signal?: AbortSignal) {
    signal?.throwIfAborted()
    this.timeoutMs = timeoutMs
    this.#signal = signal
    this.#timer = setTimeout(this.#end, timeoutMs)
    signal?.addEventListener('abort', this.#end, { once: true })
  }

  /** Whether nothing more is waited for: time is over, or it was aborted. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether it was the time that ended the operation, and not its caller. */
  get isOverdue(): boolean {
    return this.#isOver && this.#signal?.aborted !== true
  }

  /**
   * Awaits work for as long as there is time. What goes on with it after that is left to itself.
   *
   * @param what completes "no answer to ...".
   * @throws SystemdError `ERR_VMCG_DBUS_TIMEOUT`; `signal.reason` when aborted; whatever the work throws.
   */
  within<T>(work: Promise<T>, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting.delete(giveUp)
        reject(this.#signal?.aborted === true ? this.#signal.reason : timeoutError(what, this.timeoutMs))
      }
      const settled = (settle: () => void): void => {
        this.#waiting.delete(giveUp)
        settle()
      }
      work.then(
        (value) => settled(() => resolve(value)),
        (error) => settled(() => reject(error)),
      )
      if (this.#isOver) giveUp()
      else this.#waiting.add(giveUp)
    })
  }

  /** Waits, or until `work` is done, whichever is first. Errors as {@link within}. */
  async pause(ms: number, what: string, work?: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms)
    })
    try {
      await this.within(work === undefined ? over : Promise.race([over, work]), what)
    } finally {
      clearTimeout(timer)
    }
  }

  /** To be called when the operation is done, however it ended. */
  end(): void {
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#end)
  }
}
