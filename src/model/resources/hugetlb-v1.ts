import type { LinuxHugepageLimit } from '../generated/oci'
import { entries, requiredInteger } from './fields'
import { checkPageSize } from './huge-page-size'
import type { Demand, DemandContext } from './knob'

/** The knobs of one page size: what pages are used, and since Linux 5.7 also what pages are reserved. */
export function hugetlbKnobs(pageSize: string): { readonly used: string; readonly reserved: string } {
  return {
    used: `hugetlb.${pageSize}.limit_in_bytes`,
    reserved: `hugetlb.${pageSize}.rsvd.limit_in_bytes`,
  }
}

/**
 * What `linux.resources.hugepageLimits` asks of the hugetlb controller. Where the kernel has a knob for reservations
 * it gets the same limit: a VM that reserves more than it may use dies of SIGBUS at the first touch. A later entry for
 * the same page size wins.
 *
 * Source: OCI runtime-spec config-linux.md, huge page limits; kernel, admin-guide/cgroup-v1/hugetlb.rst.
 */
export function hugetlbDemands(
  limits: readonly LinuxHugepageLimit[] | undefined,
  { now }: DemandContext,
): Demand[] {
  const demands = entries('hugepageLimits', limits).flatMap(([name, entry]) => {
    const { used, reserved } = hugetlbKnobs(checkPageSize(`${name}.pageSize`, entry.pageSize))
    const field = `${name}.limit`
    const range = { min: 0, max: Number.MAX_SAFE_INTEGER, note: ' bytes' }
    const value = String(requiredInteger(field, entry.limit, range))
    const files = now.areKnown && now.has(reserved) ? [used, reserved] : [used]
    return files.map((file): Demand => ({ controller: 'hugetlb', file, value, field }))
  })
  return [...new Map(demands.map((demand) => [demand.file, demand])).values()]
}
