import type { LinuxHugepageLimit } from '../generated/oci'
import { entries, requiredInteger } from './fields'
import { checkPageSize } from './huge-page-size'
import type { Demand, DemandContext } from './knob'

/** The knobs of one page size on v2: what pages are used, and since Linux 5.7 also what pages are reserved. */
export function hugetlbKnobsV2(pageSize: string): { readonly used: string; readonly reserved: string } {
  return { used: `hugetlb.${pageSize}.max`, reserved: `hugetlb.${pageSize}.rsvd.max` }
}

/**
 * What `linux.resources.hugepageLimits` asks of the hugetlb controller of v2: the same limit for pages in use and for
 * reserved ones, as on v1, wherever the kernel tells the two apart. A later entry for the same page size wins.
 *
 * Source: OCI runtime-spec config-linux.md, huge page limits; kernel, cgroup-v2.rst, HugeTLB interface files.
 */
export function hugetlbDemandsV2(
  limits: readonly LinuxHugepageLimit[] | undefined,
  { now }: DemandContext,
): readonly Demand[] {
  const range = { min: 0, max: Number.MAX_SAFE_INTEGER, note: ' bytes' }
  return entries('hugepageLimits', limits).flatMap(([name, entry]) => {
    const { used, reserved } = hugetlbKnobsV2(checkPageSize(`${name}.pageSize`, entry.pageSize))
    const field = `${name}.limit`
    const value = String(requiredInteger(field, entry.limit, range))
    const files = now.has(reserved) ? [used, reserved] : [used]
    return files.map((file): Demand => ({ controller: 'hugetlb', file, value, field }))
  })
}
