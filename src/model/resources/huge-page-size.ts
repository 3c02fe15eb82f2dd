import type { LinuxResources } from '../generated/oci'
import { entries, refuse, section } from './fields'
import type { OnUnsupported } from './unsupported'

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
 * Checks a file of the hugetlb controller in `unified`.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what no kernel has, such as `hugetlb.2MB.high` or `hugetlb.2048KB.max`.
 *
 * Source: kernel, cgroup-v2.rst, HugeTLB interface files.
 */
export function checkHugetlbFile(field: string, file: string): void {
  const [, pageSize, knob] = /^hugetlb\.([^.]+)\.(.+)$/.exec(file) ?? []
  if (knob === 'max' || knob === 'rsvd.max') checkPageSize(field, pageSize)
  else {
    const hint = 'there are hugetlb.<size>.max and hugetlb.<size>.rsvd.max, such as hugetlb.2MB.max'
    throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, file, 'is no limit of the hugetlb controller', hint)
  }
}

/**
 * Resources without the limits for sizes of huge pages that a host has none of; `onUnsupported` is told of each. What is
 * no size at all is for {@link checkPageSize}.
 *
 * @param sizesOf tells all that it has; none where it has no huge pages at all, which is for its controllers to tell.
 * @throws what `onUnsupported` makes of `ERR_VMCG_UNSUPPORTED`.
 */
export function withoutMissingSizes(
  resources: LinuxResources,
  sizesOf: () => readonly string[],
  onUnsupported: OnUnsupported,
): LinuxResources {
  const { hugepageLimits, unified } = resources
  if (hugepageLimits === undefined && unified === undefined) return resources
  const sizes = sizesOf()
  const isThere = (field: string, value: unknown, pageSize: string | undefined): boolean => {
    if (sizes.length === 0 || pageSize === undefined || sizes.includes(pageSize)) return true
    if (sizeInBytes(pageSize) === undefined) return true
    const why = 'is for a size of huge pages that this host has not'
    onUnsupported(refuse('ERR_VMCG_UNSUPPORTED', field, value, why, `it has ${sizes.join(' and ')}`))
    return false
  }
  const limits = entries('hugepageLimits', hugepageLimits).flatMap(([field, limit]) =>
    isThere(`${field}.pageSize`, limit.pageSize, limit.pageSize) ? [limit] : [],
  )
  const files = Object.entries(section('unified', unified) ?? {}).filter(([file]) =>
    isThere('unified', file, sizeOf(file)),
  )
  return {
    ...resources,
    ...(hugepageLimits && { hugepageLimits: limits }),
    ...(unified && { unified: Object.fromEntries(files) }),
  }
}

function sizeOf(file: string): string | undefined {
  return FILE.exec(file)?.[1]
}

/** The page size in bytes that a hugetlb knob counts in; undefined for any other file. */
export function pageBytesOf(file: string): number | undefined {
  const pageSize = sizeOf(file)
  return pageSize === undefined ? undefined : sizeInBytes(pageSize)
}
