import type { FigureFile, Figures } from '../engine/meter'
import { FigureFormat } from '../engine/native'

/** The figures of a file; undefined: there is none. */
export type FiguresOf = (file: string) => Figures | undefined

export function numbersFile(file: string, divisor = 1): FigureFile {
  return { file, format: FigureFormat.Numbers, fields: divisor === 1 ? [] : [`/${divisor}`] }
}

export function fieldsFile(file: string, fields: readonly string[]): FigureFile {
  return { file, format: FigureFormat.Fields, fields }
}

/** The number of a file that holds one; 0 where it holds none. */
export function numberOf(figures: Figures | undefined): number {
  return orZero(figures?.[1])
}

/** A figure that the kernel does not count is 0. */
export function orZero(figure: number | undefined): number {
  return figure === undefined || Number.isNaN(figure) ? 0 : figure
}

/** A figure that the kernel does not tell is null. */
export function orNull(figure: number | undefined): number | null {
  return figure === undefined || Number.isNaN(figure) ? null : figure
}

/** A limit, where `max` is none: null. */
export function limitOf(figure: number | undefined): number | null {
  return orNull(figure) === Number.POSITIVE_INFINITY ? null : orNull(figure)
}

/**
 * Where nothing says `max`, no limit reads as the greatest number of whole pages that fits into a signed long: on v1, and
 * on v2 for huge pages until something is written, as Linux 6.18 has it. Pages go up to 16 GB.
 *
 * Source: include/linux/page_counter.h, PAGE_COUNTER_MAX; mm/hugetlb_cgroup.c rounds it down to huge pages.
 */
const NO_LIMIT_FROM = 2 ** 63 - 2 ** 34

/** A limit in bytes, such as `*.limit_in_bytes` of v1 or `memory.max` of v2; null: no limit. */
export function byteLimitOf(figure: number | undefined): number | null {
  return orZero(figure) >= NO_LIMIT_FROM ? null : orZero(figure)
}

/** The rows of a file of devices. @param fields how many figures each device has */
export function deviceRows(figures: Figures, fields: number): readonly DeviceRow[] {
  return Array.from({ length: orZero(figures[0]) }, (_, index) => {
    const at = 1 + index * (2 + fields)
    return {
      major: orZero(figures[at]),
      minor: orZero(figures[at + 1]),
      figure: (field) => orZero(figures[at + 2 + field]),
    }
  })
}

export interface DeviceRow {
  readonly major: number
  readonly minor: number
  /** By its place among the fields. */
  readonly figure: (field: number) => number
}
