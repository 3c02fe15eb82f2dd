import type { ContainerResources } from './container'
import type { LinuxResources } from './generated/oci'

/** The members of each section that a sandbox acts on; a section that is not here is acted on whole. */
const APPLIED: Readonly<Record<string, readonly string[]>> = {
  cpu: ['shares', 'quota', 'period', 'cpus', 'mems'],
  memory: ['limit'],
  devices: [],
  network: [],
  rdma: [],
  unified: [],
}

/**
 * The members of an OCI `linux.resources` that are set and that a sandbox does not act on, such as `'devices'` or
 * `'cpu.burst'`: what belongs to a container inside the VM, or has no sum. A sandbox warns about them: a limit that is
 * silently not there is worse than none.
 *
 * @param isMemoryLimited whether the sandbox knows what the VMM itself needs; without that, memory is not limited.
 */
export function unappliedFields(
  resources: LinuxResources | undefined,
  isMemoryLimited: boolean,
): readonly string[] {
  return setMembers(resources ?? {}).flatMap((section) => {
    const applied = section === 'memory' && !isMemoryLimited ? [] : APPLIED[section]
    if (applied === undefined) return []
    if (applied.length === 0) return [section]
    return setMembers(Reflect.get(resources ?? {}, section))
      .filter((name) => !applied.includes(name))
      .map((name) => `${section}.${name}`)
  })
}

function setMembers(object: object): readonly string[] {
  return Object.entries(object).flatMap(([name, value]) => (isEmpty(value) ? [] : [name]))
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)
  )
}

/**
 * What becomes of no limit, since a sum takes one of each container: a line for memory, and one for pids.
 *
 * @param isMemoryLimited as for {@link unappliedFields}.
 */
export function unsummedLimits(
  containers: readonly ContainerResources[],
  isMemoryLimited: boolean,
): readonly string[] {
  return (['memory', 'pids'] as const).flatMap((section) => {
    if (section === 'memory' && !isMemoryLimited) return []
    const lacking = containers.filter(({ resources }) => !((resources?.[section]?.limit ?? -1) > 0))
    if (lacking.length === 0 || lacking.length === containers.length) return []
    return `${section} is not limited: container ${lacking.map(({ id }) => id).join(', ')} has no ${section}.limit`
  })
}
