import { checkObject, checkObjects } from '../argument'
import type { LinuxResources } from '../generated/oci'
import { entries } from './fields'
import { checkPageSize } from './huge-page-size'
import { hugetlbKnobs } from './hugetlb-v1'
import { hugetlbKnobsV2 } from './hugetlb-v2'
import { aliasOf } from './keyed-lines'
import type { Knob, KnobWrite } from './knob'
import { GROUPS_V1 } from './knob-groups-v1'
import { GROUPS_V2 } from './knob-groups-v2'
import { unifiedController, unifiedEntries } from './unified-v2'
import { checkVersion } from './version'

const VERSIONS = {
  1: { groups: GROUPS_V1, hugetlbOf: hugetlbKnobs },
  2: { groups: GROUPS_V2, hugetlbOf: hugetlbKnobsV2 },
} as const

/**
 * Every knob to read before `resourceWrites` can be told what a cgroup has now: those that would be written, and those
 * that the kernel checks them against.
 *
 * @param resources As for `resourceWrites`.
 * @param version Of the hierarchies.
 * @param previous As for `resourceWrites`: what was written before and may have to be lifted.
 * @returns Controller and file, each once. Not all of them exist on every kernel.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for page sizes, types and files of `unified` that are none.
 */
export function knobsOf(
  resources: LinuxResources,
  version: 1 | 2,
  previous: readonly KnobWrite[] = [],
): readonly Knob[] {
  checkObject('resources', resources)
  checkObjects('previous', previous)
  checkVersion(version)
  const { groups, hugetlbOf } = VERSIONS[version]
  const unified = version === 2 ? unifiedEntries(resources.unified).map(([file]) => file) : []
  const named = new Set([...previous.map(({ file }) => file), ...unified].map(aliasOf))
  const grouped = groups
    .filter(
      ({ fields, files }) =>
        fields(resources).some((field) => field !== undefined) || files.some((file) => named.has(file)),
    )
    .flatMap(({ controller, files }) => files.map((file) => ({ controller, file })))
  const hugePages = entries('hugepageLimits', resources.hugepageLimits).flatMap(([name, { pageSize }]) => {
    const { used, reserved } = hugetlbOf(checkPageSize(`${name}.pageSize`, pageSize))
    return [used, reserved].map((file) => ({ controller: 'hugetlb', file }))
  })
  const written = previous.map(({ controller, file }) => ({ controller, file }))
  const raw = unified.map((file) => ({ controller: unifiedController(file), file }))
  const all = [...grouped, ...hugePages, ...written, ...raw]
  return [...new Map(all.map((knob) => [knob.file, knob])).values()]
}
