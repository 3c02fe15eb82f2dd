import type { PackedBatch } from './batch'
import { type NativeAddon, native } from './native'
import { turns } from './turns'

/** A batch on its way to a lane and back. */
export interface Passage {
  readonly batch: PackedBatch
  /** Called in a turn of its own, once; not at all after the batch was taken back. */
  readonly onDone: (result: ArrayBuffer) => void
  /** The addon finds the batch malformed. */
  readonly onRefused: (errno: number) => void
}

/**
 * How much may be with the addon at once, which keeps it as long as a lane is busy; the rest waits here, as the packed
 * batch that it is already. A look at a sandbox takes 5 KB to ask and 4 KB to answer, so this holds some 200 of them.
 */
export const MAX_BYTES = 2 ** 20

/** What a port needs of the addon; a test may put something else in its place. */
export type LaneCalls = Pick<NativeAddon, 'submitBatch' | 'cancelBatch'>

/** This thread's end of a lane: it bounds what is under way, and hands results out one per turn of the event loop. */
export class LanePort {
  readonly #lane: number
  readonly #addon: () => LaneCalls
  readonly #waiting = new Set<Passage>()
  readonly #tickets = new Map<Passage, number>()
  #bytesUnderWay = 0

  /** @param lane as for `NativeAddon.submitBatch`. */
  constructor(lane: number, addon: () => LaneCalls = native) {
    this.#lane = lane
    this.#addon = addon
  }

  /** First come, first served. */
  send(passage: Passage): void {
    this.#waiting.add(passage)
    this.#passOn()
  }

  /** True when it had not started; nothing is heard of it then. */
  takeBack(passage: Passage): boolean {
    if (this.#waiting.delete(passage)) return true
    const ticket = this.#tickets.get(passage)
    if (ticket === undefined || !this.#addon().cancelBatch(ticket)) return false
    this.#arrived(passage)
    return true
  }

  #passOn(): void {
    for (const passage of this.#waiting) {
      // What is larger than all that may be under way goes alone.
      if (this.#bytesUnderWay > 0 && this.#bytesUnderWay + bytesOf(passage) > MAX_BYTES) return
      this.#waiting.delete(passage)
      this.#submit(passage)
    }
  }

  #submit(passage: Passage): void {
    const { ops, strings, ids } = passage.batch
    const done = (result: ArrayBuffer) =>
      turns.run(() => {
        this.#arrived(passage)
        passage.onDone(result)
      })
    const ticket = this.#addon().submitBatch(this.#lane, ops, strings, ids, done)
    if (ticket < 0) {
      passage.onRefused(-ticket)
      return
    }
    this.#tickets.set(passage, ticket)
    this.#bytesUnderWay += bytesOf(passage)
  }

  #arrived(passage: Passage): void {
    this.#tickets.delete(passage)
    this.#bytesUnderWay -= bytesOf(passage)
    this.#passOn()
  }
}

function bytesOf({ batch: { ops, strings, ids } }: Passage): number {
  return ops.byteLength + 2 * strings.length + ids.byteLength
}
