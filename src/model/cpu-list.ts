import { VmcgError } from '../errors'
import { checkList, checkText } from './argument'
import { quote, short } from './quote'

/**
 * The highest CPU or NUMA node number that a list may name. Linux can be built for at most 8192 CPUs (NR_CPUS, on
 * x86-64 with MAXSMP) and 1024 nodes, so a greater number is a mistake, and expanding it would only take memory.
 */
export const MAX_CPU = 8191

/** Marks to begin with. */
const SMALL_HOST = 256

const PIECE = /^(\d{1,4})(?:-(\d{1,4}))?$/

function refuse(text: string, piece: string, why: string): VmcgError {
  return new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${quote(piece)} in the CPU list ${quote(text)} ${why}`, {
    value: short(text),
    hint: 'a list is made of numbers and ranges, such as 0-3,8',
  })
}

/**
 * One mark per CPU: a list that repeats itself costs time, never memory. Few at first, since most hosts are far smaller
 * than Linux allows.
 */
class Marks {
  #marked = new Uint8Array(SMALL_HOST)

  mark(first: number, last: number): void {
    if (last >= this.#marked.length) {
      const grown = new Uint8Array(MAX_CPU + 1)
      grown.set(this.#marked)
      this.#marked = grown
    }
    this.#marked.fill(1, first, last + 1)
  }

  numbers(): number[] {
    const marked = this.#marked
    const numbers: number[] = []
    for (let cpu = marked.indexOf(1); cpu !== -1; cpu = marked.indexOf(1, cpu + 1)) numbers.push(cpu)
    return numbers
  }

  /** Each run of marked CPUs, by its first and last. */
  ranges(): (readonly [number, number])[] {
    const marked = this.#marked
    const ranges: (readonly [number, number])[] = []
    for (let first = marked.indexOf(1); first !== -1; ) {
      const gap = marked.indexOf(0, first)
      const last = (gap === -1 ? marked.length : gap) - 1
      ranges.push([first, last])
      first = marked.indexOf(1, last + 1)
    }
    return ranges
  }
}

function markPiece(marks: Marks, text: string, piece: string): void {
  const [, firstDigits, lastDigits] = PIECE.exec(piece) ?? []
  if (firstDigits === undefined) {
    if (/^\d+(?:-\d+)?$/.test(piece)) throw refuse(text, piece, `goes beyond CPU ${MAX_CPU}`)
    throw refuse(text, piece, piece === '' ? 'is an empty piece' : 'is neither a number nor a range')
  }
  const first = Number(firstDigits)
  const last = lastDigits === undefined ? first : Number(lastDigits)
  if (last > MAX_CPU || first > MAX_CPU) throw refuse(text, piece, `goes beyond CPU ${MAX_CPU}`)
  if (last < first) throw refuse(text, piece, 'runs backwards')
  marks.mark(first, last)
}

/**
 * Reads a list of CPUs or NUMA nodes, such as `'0-3,8'`, as `cpuset.cpus` holds it.
 *
 * @param text Numbers and ranges, comma-separated. `''` is the empty list; a newline at the end, as the kernel writes
 *   it, is allowed. Pieces may overlap and come in any order.
 * @returns The numbers, ascending, each once.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` naming the piece that is no number or range, runs backwards or goes beyond
 *   {@link MAX_CPU}. The kernel's `0-7:1/2` groups are refused too: it never prints them.
 *
 * Source: kernel, lib/bitmap-str.c (bitmap_parselist); cpuset(7), list format.
 */
export function parseCpuList(text: string): number[] {
  checkText('a CPU list', text)
  const list = text.endsWith('\n') ? text.slice(0, -1) : text
  if (list === '') return []
  const marks = new Marks()
  let start = 0
  while (start <= list.length) {
    const comma = list.indexOf(',', start)
    const end = comma === -1 ? list.length : comma
    markPiece(marks, text, list.slice(start, end))
    start = end + 1
  }
  return marks.numbers()
}

/**
 * Writes CPU or node numbers as the kernel echoes them: ascending, ranges joined, such as `'0-3,8'`.
 *
 * @param cpus Numbers from 0 to {@link MAX_CPU}, in any order; repeated ones count once.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for any other number, and for what is no list.
 */
export function formatCpuList(cpus: readonly number[]): string {
  checkList('cpus', cpus)
  const marks = new Marks()
  for (const cpu of cpus) {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu > MAX_CPU) {
      throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${quote(cpu)} is no CPU number (0 to ${MAX_CPU})`, {
        value: short(cpu),
      })
    }
    marks.mark(cpu, cpu)
  }
  const pieces = marks.ranges().map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
  return pieces.join(',')
}

/** A host has few lists, and asks for the same ones again and again. */
const known = new Map<string, string>()
const MOST_KNOWN = 256
const LONGEST_KNOWN = 256

/**
 * A list as the kernel echoes it.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` as {@link parseCpuList}.
 */
export function canonicalCpuList(text: string): string {
  const found = known.get(text)
  if (found !== undefined) return found
  const list = formatCpuList(parseCpuList(text))
  if (text.length <= LONGEST_KNOWN) {
    if (known.size >= MOST_KNOWN) known.clear()
    known.set(text, list)
  }
  return list
}

/**
 * True when every CPU of one list is in the other; the empty list is a subset of every list.
 *
 * @param part CPU list, such as `'1-2'`.
 * @param whole CPU list, such as `'0-3'`.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` as {@link parseCpuList}.
 */
export function isSubset(part: string, whole: string): boolean {
  if (canonicalCpuList(part) === canonicalCpuList(whole)) return true
  const available = new Set(parseCpuList(whole))
  return parseCpuList(part).every((cpu) => available.has(cpu))
}
