import { protocolError } from './qmp-errors'

/** The longest message taken, in bytes. `query-qmp-schema`, the longest that QEMU 7.2 sends, has 207,010. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
/** Space, tab, newline, carriage return. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d])

/**
 * Cuts a QMP byte stream into its JSON objects. QEMU ends each with CRLF, but spreads one over many lines where the
 * monitor has `pretty=on`, so that only the braces tell where an object ends. All bytes that matter here are ASCII,
 * which no UTF-8 sequence contains: a character that is split between two chunks is whole again when its object is.
 *
 * Each byte is looked at once, however the stream is cut into chunks.
 */
export class QmpFramer {
  /** The beginning of an object that has not ended yet; only the first `#used` bytes count. */
  #held = Buffer.alloc(0)
  #used = 0
  #depth = 0
  #inString = false
  #escaped = false
  readonly #path: string

  /** @param path the socket whose stream this is; for messages only */
  constructor(path: string) {
    this.#path = path
  }

  /**
   * @param chunk the next bytes of the stream, any number of them; not kept
   * @returns the objects that end in this chunk, parsed, in their order; to be iterated to the end, before the next
   *   call
   * @throws QmpError `ERR_VMCG_QMP_PROTOCOL`, when the iteration comes to what is no JSON object, or is one above
   * 16 MiB. The stream is then of no further use.
   */
  *push(chunk: Buffer): Generator<object, void> {
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (this.#depth === 0) {
        if (BLANKS.has(byte)) continue
        if (byte !== OPEN_BRACE) {
          throw protocolError(this.#path, 'something that is no JSON object', chunk.subarray(at))
        }
        start = at
      }
      if (this.#endsAt(byte)) yield this.#parse(this.#take(chunk.subarray(start, at + 1)))
    }
    if (this.#depth > 0) this.#hold(chunk.subarray(start))
  }

  /** Follows the nesting by one byte; true when that byte ends an object. */
  #endsAt(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false
      else if (byte === BACKSLASH) this.#escaped = true
      else if (byte === QUOTE) this.#inString = false
      return false
    }
    if (byte === QUOTE) this.#inString = true
    else if (byte === OPEN_BRACE) this.#depth += 1
    else if (byte === CLOSE_BRACE) this.#depth -= 1
    return this.#depth === 0
  }

  #hold(bytes: Buffer): void {
    const length = this.#checkedLength(bytes)
    if (length > this.#held.length) {
      // Doubled, so that a message in many small chunks is not copied once for each of them.
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#held.length))
      this.#held.copy(larger, 0, 0, this.#used)
      this.#held = larger
    }
    bytes.copy(this.#held, this.#used)
    this.#used = length
  }

  #take(tail: Buffer): Buffer {
    this.#checkedLength(tail)
    if (this.#used === 0) return tail
    const message = Buffer.concat([this.#held.subarray(0, this.#used), tail])
    this.#held = Buffer.alloc(0)
    this.#used = 0
    return message
  }

  #checkedLength(more: Buffer): number {
    const length = this.#used + more.length
    if (length <= MAX_MESSAGE_BYTES) return length
    const head = this.#used > 0 ? this.#held.subarray(0, this.#used) : more
    throw protocolError(this.#path, `a message above ${MAX_MESSAGE_BYTES} bytes`, head)
  }

  #parse(bytes: Buffer): object {
    try {
      // The text begins with a brace: it is an object, or it does not parse.
      return JSON.parse(bytes.toString('utf8'))
    } catch (cause) {
      throw protocolError(this.#path, 'broken JSON', bytes, cause)
    }
  }
}
