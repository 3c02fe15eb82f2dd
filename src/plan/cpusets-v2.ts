import type { LinuxResources } from '../model/generated/oci'
import { refuseOutside } from './cpusets-v1'
import { pathChain } from './observed'
import type { PlanBuilder } from './plan-builder'

const LISTS = [
  { field: 'cpus', file: 'cpuset.cpus' },
  { field: 'mems', file: 'cpuset.mems' },
] as const

/**
 * A cpuset of v2 takes CPUs and memory nodes that the cgroup above does not have, and silently does without them, or
 * with all of the parent's where none is left: that is refused before it is written.
 *
 * @param parent Path of the cgroup above ours; the nearest one whose effective lists can be read counts.
 * @throws `ERR_VMCG_OUT_OF_RANGE`.
 *
 * Source: kernel, cgroup-v2.rst, cpuset.cpus and cpuset.cpus.effective.
 */
export function refuseUnavailable(
  builder: PlanBuilder,
  hierarchy: string,
  parent: string,
  { cpu, unified }: LinuxResources,
): void {
  for (const { field, file } of LISTS) {
    const asked = (unified?.[file] ?? cpu?.[field] ?? '').trim()
    if (asked === '') continue
    for (const path of pathChain(parent).toReversed()) {
      const available = builder.knob(hierarchy, path, `${file}.effective`)
      if (available === undefined) continue
      refuseOutside(file, asked, available, `${hierarchy}:${path}`)
      break
    }
  }
}
