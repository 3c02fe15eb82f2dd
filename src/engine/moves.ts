import type { OperationOutcome } from './execute'

/** A thread that was moved, and where to. */
export interface MovedThread {
  /** The thread's id; that of a process that was moved as a whole stands for all of its threads. */
  readonly tid: number
  /** Where it went in each hierarchy that it was moved in, as `hierarchy:path`. */
  readonly to: readonly string[]
}

/** Writes down who was moved where. Who was moved twice in a hierarchy is where the second move has put it. */
export class Moves {
  readonly #places = new Map<number, Map<string, string>>()

  /** @param isMeant tells which of the ids that the kernel has moved count. */
  add({ operation, ids }: OperationOutcome, isMeant: (id: number) => boolean = () => true): void {
    for (const { id, errno } of ids) {
      if (errno !== 0 || !isMeant(id)) continue
      const places = this.#places.get(id) ?? new Map<string, string>()
      this.#places.set(id, places.set(operation.hierarchy, operation.path))
    }
  }

  /** In the order in which they were first moved. */
  get tids(): readonly number[] {
    return [...this.#places.keys()]
  }

  list(): readonly MovedThread[] {
    return [...this.#places].map(([tid, places]) => ({
      tid,
      to: [...places].map(([hierarchy, path]) => `${hierarchy}:${path}`),
    }))
  }
}
