import { pageBytesOf } from './huge-page-size'

export const DEFAULT_PAGE_SIZE = 4096

/** Knobs that the kernel keeps in pages of memory: mm/memcontrol-v1.c on v1, mm/memcontrol.c on v2. */
const IN_PAGES = /^memory\.(?:.*limit_in_bytes|min|low|high|max|swap\.high|swap\.max|zswap\.max)$/

/** The bytes that a knob counts in, ordinary or huge pages; undefined for one that counts something else. */
export function pageOf(file: string, pageSize: number): number | undefined {
  return pageBytesOf(file) ?? (IN_PAGES.test(file) ? pageSize : undefined)
}
