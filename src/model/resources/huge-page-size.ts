import type { LinuxHugepageLimit } from '../generated/oci'
import { refuse } from './fields'

const PAGE_SIZE = /^([1-9][0-9]*)([KMG])B$/
const UNIT_BYTES = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 } as const
const FILE = /^hugetlb\.([^.]+)\.(?:rsvd\.)?(?:limit_in_bytes|max)$/

/** The bytes of `'2MB'`; undefined for what is no size as the kernel writes it. */
function sizeInBytes(pageSize: string): number | undefined {
  const [, digits, letter] = PAGE_SIZE.exec(pageSize) ?? []
  if (digits === undefined || (letter !== 'K' && letter !== 'M' && letter !== 'G')) return undefined
  const count = Number(digits)
  // 1024KB is 1MB to the kernel, and every size is a power of two.
  const isCanonical = Number.isInteger(Math.log2(count)) && (letter === 'G' || count < 1024)
  return isCanonical ? count * UNIT_BYTES[letter] : undefined
}

/**
 * Checks the size of a huge page, which becomes a part of file names.
 *
 * @returns The size itself, such as `'2MB'`.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for everything that the kernel does not name so, such as `'2048KB'` or `'../x'`.
 *
 * Source: kernel, mm/hugetlb_cgroup.c, mem_fmt; OCI runtime-spec config-linux.md, huge page limits.
 */
export function checkPageSize(field: string, pageSize: unknown): string {
  if (typeof pageSize === 'string' && sizeInBytes(pageSize) !== undefined) return pageSize
  throw refuse(
    'ERR_VMCG_INVALID_ARGUMENT',
    field,
    pageSize,
    'is no page size as the kernel names it',
    'a page size is a power of two in its largest unit, such as 64KB, 2MB or 1GB',
  )
}

/**
 * Refuses limits for sizes of huge pages that a host has none of. What is no size at all is for {@link checkPageSize}.
 *
 * @param sizes all that it has; none where it has no huge pages at all, which is for its controllers to tell.
 * @throws `ERR_VMCG_UNSUPPORTED`.
 */
export function refuseMissingSizes(limits: readonly LinuxHugepageLimit[], sizes: readonly string[]): void {
  const index = limits.findIndex(
    ({ pageSize }) =>
      pageSize !== undefined && sizeInBytes(pageSize) !== undefined && !sizes.includes(pageSize),
  )
  if (sizes.length === 0 || index < 0) return
  throw refuse(
    'ERR_VMCG_UNSUPPORTED',
    `hugepageLimits[${index}].pageSize`,
    limits[index]?.pageSize,
    'is no size of huge pages that this host has',
    `it has ${sizes.join(' and ')}`,
  )
}

/** The page size in bytes that a hugetlb knob counts in; undefined for any other file. */
export function pageBytesOf(file: string): number | undefined {
  const [, pageSize] = FILE.exec(file) ?? []
  return pageSize === undefined ? undefined : sizeInBytes(pageSize)
}
