import { type Meter, type MeterReading, type PendingReading, readMeters } from './engine/meter'
import { VmcgError } from './errors'

/** Something whose figures can be read: a sandbox, or a cgroup of its own. */
export interface StatsSource<Stats> {
  readonly meter: Meter
  /** What a reading of the meter says. @throws the kernel's error for what cannot be read */
  stats(reading: MeterReading): Stats
}

export interface ReadStatsOptions {
  /** Which files to read, as bits. */
  readonly groups: number
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface ManyStats<Stats> {
  readonly outcomes: readonly PromiseSettledResult<Stats>[]
  /** How many descriptors this process keeps open at most; undefined when nothing was read. */
  readonly keptAtMost: number | undefined
}

/** Read at once, and decoded in one turn of the event loop. */
const SOURCES_PER_READING = 32
/**
 * While one reading is decoded others are under way: so many that the thread that reads has something to do also while
 * garbage is collected. With two it waited for a quarter of the time.
 */
const READINGS_AT_ONCE = 8

/**
 * Reads many sources. Each is settled on its own, in the order given.
 *
 * @param sources called when their turn comes; what they throw is the outcome of that one.
 * @returns `ERR_VMCG_TIMEOUT` for those that were not read in time: the kernel still works at one of them or of others
 *   before it, and nothing can take back what it has begun.
 * @throws `signal.reason` after an abort.
 */
export async function readStats<Stats>(
  sources: readonly (() => StatsSource<Stats>)[],
  options: ReadStatsOptions,
): Promise<ManyStats<Stats>> {
  const { timeoutMs, signal } = options
  signal?.throwIfAborted()
  const run = new Run(sources, options.groups)
  const stop = stopAfter(timeoutMs, signal)
  try {
    const workers = Array.from({ length: READINGS_AT_ONCE }, () => run.work())
    await Promise.race([Promise.all(workers), stop.stopped])
  } finally {
    stop.release()
    run.end()
  }
  signal?.throwIfAborted()
  return { outcomes: run.outcomes(timeoutMs), keptAtMost: run.keptAtMost }
}

/** The readings of one call. */
class Run<Stats> {
  keptAtMost: number | undefined
  readonly #sources: readonly (() => StatsSource<Stats>)[]
  readonly #groups: number
  readonly #outcomes: (PromiseSettledResult<Stats> | undefined)[]
  readonly #pending = new Set<PendingReading>()
  #next = 0
  #hasEnded = false

  constructor(sources: readonly (() => StatsSource<Stats>)[], groups: number) {
    this.#sources = sources
    this.#groups = groups
    this.#outcomes = sources.map(() => undefined)
  }

  /** Reads what nobody has begun to read, until there is no more of it. */
  async work(): Promise<void> {
    while (!this.#hasEnded && this.#next < this.#sources.length) {
      const from = this.#next
      this.#next += SOURCES_PER_READING
      await this.#read(from, Math.min(this.#next, this.#sources.length))
    }
  }

  /** Nothing more is begun, and what has not started is taken back. */
  end(): void {
    this.#hasEnded = true
    for (const reading of this.#pending) reading.cancel()
  }

  outcomes(timeoutMs: number): readonly PromiseSettledResult<Stats>[] {
    return this.#outcomes.map((outcome) => outcome ?? { status: 'rejected', reason: tooLate(timeoutMs) })
  }

  async #read(from: number, end: number): Promise<void> {
    const opened: { readonly index: number; readonly source: StatsSource<Stats> }[] = []
    for (let index = from; index < end; index += 1) {
      const source = this.#attempt(index, this.#sources[index])
      if (source !== undefined) opened.push({ index, source })
    }
    if (opened.length === 0) return
    const reading = readMeters(
      opened.map(({ source }) => source.meter),
      this.#groups,
    )
    this.#pending.add(reading)
    const { meters, keptAtMost } = await reading.done
    this.#pending.delete(reading)
    if (this.#hasEnded) return
    this.keptAtMost = keptAtMost
    for (const [place, { index, source }] of opened.entries()) {
      const value = this.#attempt(index, () => ({ stats: source.stats(meters[place] ?? []) }))
      if (value !== undefined) this.#outcomes[index] = { status: 'fulfilled', value: value.stats }
    }
  }

  #attempt<T>(index: number, attempt: (() => T) | undefined): T | undefined {
    try {
      return attempt?.()
    } catch (reason) {
      this.#outcomes[index] = { status: 'rejected', reason }
      return undefined
    }
  }
}

/** The value of what went through. @throws its reason otherwise */
export function settledValue<T>(outcome: PromiseSettledResult<T> | undefined): T {
  if (outcome?.status === 'fulfilled') return outcome.value
  throw outcome?.reason
}

/** `stopped` resolves when the time is over, or at an abort. */
function stopAfter(timeoutMs: number, signal: AbortSignal | undefined) {
  let stop = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  const timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(stop, timeoutMs)
  signal?.addEventListener('abort', stop, { once: true })
  return {
    stopped,
    release: () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    },
  }
}

function tooLate(timeoutMs: number): VmcgError {
  return new VmcgError('ERR_VMCG_TIMEOUT', `its figures could not be read within ${timeoutMs} ms`, {
    hint: 'the kernel takes long over a file of figures; read fewer groups, or pass a longer timeoutMs',
  })
}
