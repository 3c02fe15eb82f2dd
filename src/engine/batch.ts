import { isAscii } from 'node:buffer'
import { VmcgError } from '../errors'
import {
  OP_OPTIONAL,
  OP_WORDS,
  type OpCode,
  RESULT_HEADER_WORDS,
  RESULT_OP_WORDS,
  TASK_RECORD_BYTES,
} from './native'

/** Words of one operation that not every operation has. */
export interface OpFields {
  readonly value?: string
  /** A string for the name of an attribute or a temporary file, a number for everything else. */
  readonly arg?: string | number
  readonly ids?: readonly number[]
  /** A failure does not stop the operation's group. */
  readonly isOptional?: boolean
}

/** A batch as `NativeAddon.submitBatch` takes it. */
export interface PackedBatch {
  readonly ops: Int32Array
  readonly strings: string
  readonly ids: Int32Array
}

const NONE = -1

/** Collects operations and packs them for the addon: the wire format of `native.ts`, in one place. */
export class Batch {
  readonly #words: number[] = []
  readonly #strings: string[] = []
  readonly #stringIndex = new Map<string, number>()
  readonly #ids: number[] = []
  #group = 0

  /** Operations so far; the next one has this index in the result. */
  get length(): number {
    return this.#words.length / OP_WORDS
  }

  /** Operations added from now on fail apart from those before. */
  nextGroup(): void {
    this.#group += 1
  }

  /**
   * @param path relative to the root.
   * @throws `ERR_VMCG_INVALID_ARGUMENT` for a string with a NUL in it.
   */
  add(code: OpCode, root: number, path: string, fields: OpFields = {}): void {
    const { value, arg, ids = [], isOptional = false } = fields
    this.#words.push(
      isOptional ? code | OP_OPTIONAL : code,
      root,
      this.#string(path),
      value === undefined ? NONE : this.#string(value),
      typeof arg === 'string' ? this.#string(arg) : (arg ?? 0),
      this.#ids.length,
      ids.length,
      this.#group,
    )
    for (const id of ids) this.#ids.push(id)
  }

  pack(): PackedBatch {
    return {
      ops: new Int32Array(this.#words),
      strings: this.#strings.join('\0'),
      ids: new Int32Array(this.#ids),
    }
  }

  #string(text: string): number {
    const known = this.#stringIndex.get(text)
    if (known !== undefined) return known
    if (text.includes('\0')) {
      throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${JSON.stringify(text)} holds a NUL`, { value: text })
    }
    this.#strings.push(text)
    this.#stringIndex.set(text, this.#strings.length - 1)
    return this.#strings.length - 1
  }
}

export interface OpResult {
  /** 0, a positive errno, or −1: not run, because something before it in its group failed. */
  readonly errno: number
  /** How many ids were written. */
  readonly done: number
  readonly microseconds: number
  /** One errno for each id of a WriteIds operation. */
  readonly idErrnos: Int32Array
  readonly bytes: Uint8Array
}

/** Unpacks the addon's result of a batch, one entry per operation, in order. */
export function decodeResult(ops: Int32Array, result: ArrayBuffer): readonly OpResult[] {
  const words = new Int32Array(result, 0, Math.floor(result.byteLength / 4))
  const [opCount = 0, idCount = 0, byteCount = 0] = words
  const idsStart = RESULT_HEADER_WORDS + opCount * RESULT_OP_WORDS
  const idErrnos = words.subarray(idsStart, idsStart + idCount)
  const bytes = Buffer.from(result, (idsStart + idCount) * 4, byteCount)
  const results: OpResult[] = []
  let byteStart = 0
  for (let index = 0; index < opCount; index += 1) {
    const at = RESULT_HEADER_WORDS + index * RESULT_OP_WORDS
    const ids = ops[index * OP_WORDS + 5] ?? 0
    const idsHere = ops[index * OP_WORDS + 6] ?? 0
    const byteEnd = words[at + 3] ?? 0
    results.push({
      errno: words[at] ?? 0,
      done: words[at + 1] ?? 0,
      microseconds: words[at + 2] ?? 0,
      idErrnos: idsHere === 0 ? NO_IDS : idErrnos.subarray(ids, ids + idsHere),
      bytes: byteEnd === byteStart ? NO_BYTES : bytes.subarray(byteStart, byteEnd),
    })
    byteStart = byteEnd
  }
  return results
}

// A look has a hundred results, and most of them have one of the two at most.
const NO_IDS = new Int32Array(0)
const NO_BYTES = Buffer.alloc(0)

/** The text of a Read result. */
export function resultText({ bytes }: OpResult): string {
  return asBuffer(bytes).toString('utf8')
}

/** What an Inspect result says of the attribute, and then of each file, in the order in which they were asked for. */
export interface Inspected {
  /** 0, or why it was not read. */
  readonly errnos: readonly number[]
  readonly texts: readonly string[]
}

/** Of the words that tell how one of them went, ahead of all texts. */
const ANSWER_BYTES = 8

export function resultInspected(result: OpResult): Inspected {
  const bytes = asBuffer(result.bytes)
  // As many as the header: each of them has an errno and a length.
  const count = bytes.readInt32LE(0)
  const start = 4 + count * ANSWER_BYTES
  // Decoded at once: a look has a hundred short texts, and nearly all that the kernel writes here is ASCII.
  const all = isAscii(bytes.subarray(start)) ? bytes.toString('latin1', start) : undefined
  const errnos: number[] = []
  const texts: string[] = []
  let from = 0
  for (let at = 4; at < start; at += ANSWER_BYTES) {
    const end = from + bytes.readInt32LE(at + 4)
    errnos.push(bytes.readInt32LE(at))
    texts.push(all?.slice(from, end) ?? bytes.toString('utf8', start + from, start + end))
    from = end
  }
  return { errnos, texts }
}

/** The same bytes: a look reads a hundred short texts, and a Buffer decodes those several times faster than a TextDecoder. */
function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** One thread of a ListTasks result. */
export interface TaskRecord {
  readonly tid: number
  /** PF_* of include/linux/sched.h. */
  readonly flags: number
  /** Clock ticks since boot; NaN where nothing but the tid was asked for. */
  readonly startTime: number
  readonly name: string
}

export function resultTasks(result: OpResult): readonly TaskRecord[] {
  const bytes = asBuffer(result.bytes)
  return Array.from({ length: Math.floor(bytes.byteLength / TASK_RECORD_BYTES) }, (_, index) => {
    const at = index * TASK_RECORD_BYTES
    const comm = bytes.subarray(at + 16, at + TASK_RECORD_BYTES)
    const end = comm.indexOf(0)
    return {
      tid: bytes.readInt32LE(at),
      flags: bytes.readUInt32LE(at + 4),
      startTime: bytes.readDoubleLE(at + 8),
      name: comm.toString('utf8', 0, end < 0 ? comm.length : end),
    }
  })
}
