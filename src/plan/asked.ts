import type { LinuxResources } from '../model/generated/oci'
import { placeOf } from '../model/resources/keyed-lines'
import { splitLimits } from '../model/resources/named-limits'
import { resourceWrites } from '../model/resources/resource-writes'
import { withStandIns } from '../model/resources/stand-ins'
import type { Version } from './versions'

/** An empty list of CPUs asks for nothing. */
export function withoutEmptyLists(resources: LinuxResources): LinuxResources {
  const { cpus, mems, ...cpu } = resources.cpu ?? {}
  return { ...resources, cpu: { ...cpu, ...(cpus && { cpus }), ...(mems && { mems }) } }
}

/**
 * The places (file, and line of it) that resources ask for on one version, whatever the kernel has and says now. What
 * the version has nothing for was refused or left out when it was planned.
 */
export function askedPlaces(resources: LinuxResources, version: Version): ReadonlySet<string> {
  const writes = resourceWrites(resources, { version, onUnsupported: () => undefined })
  return new Set(
    writes.flatMap((write) => splitLimits(write)).flatMap((write) => withStandIns(placeOf(write))),
  )
}
