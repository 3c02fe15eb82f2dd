import type { PidsStats } from './cgroup-figures'

/** Lines of a name and a number; the name ends at the last space. */
export function keyedNumbers(text: string): (name: string) => string | undefined {
  const numbers = new Map(
    text.split('\n').map((line) => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), line.slice(end + 1)]
    }),
  )
  return (name) => numbers.get(name)
}

export function numberOrNull(text: string | undefined): number | null {
  return text === undefined ? null : Number(text)
}

/** A limit as `pids.max` and the files of v2 write it, where `max` is none: null. */
export function parseMax(text: string): number | null {
  return text === 'max' ? null : Number(text)
}

/**
 * Where nothing says `max`, no limit reads as the greatest number of whole pages that fits into a signed long: on v1, and
 * on v2 for huge pages until something is written, as Linux 6.18 has it. Pages go up to 16 GB.
 *
 * Source: include/linux/page_counter.h, PAGE_COUNTER_MAX; mm/hugetlb_cgroup.c rounds it down to huge pages.
 */
const NO_LIMIT_FROM = 2n ** 63n - 2n ** 34n

/** The text of a limit in bytes, such as `*.limit_in_bytes` of v1 or `memory.max` of v2; null: no limit. */
export function parseByteLimit(text: string): number | null {
  return text === 'max' || BigInt(text) >= NO_LIMIT_FROM ? null : Number(text)
}

/**
 * The texts of `pids.current` and `pids.max`, which are the same on v1 and v2. The root has a number of processes on
 * newer v1 kernels only, and never a limit.
 */
export function parsePids(current: string | undefined, max: string | undefined): PidsStats | null {
  return current === undefined ? null : { current: Number(current), limit: parseMax(max ?? 'max') }
}

/** The text of a file without the newline at the end; undefined: there is none. */
export type TextOf = (file: string) => string | undefined
