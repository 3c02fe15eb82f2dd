import { VmcgError } from '../errors'
import type { LinuxResources } from '../model/generated/oci'
import { placeOf } from '../model/resources/keyed-lines'
import type { KnobWrite, ObservedKnobs } from '../model/resources/knob'
import { resourceWrites } from '../model/resources/resource-writes'
import { splitByVersion, versionsOf } from '../model/resources/split-by-version'
import type { Desired, ManagedKnob } from './desired'
import { type OwnCgroup, ownCgroups } from './own-cgroups'
import type { PlanBuilder } from './plan-builder'

/**
 * Plans the knobs of our own cgroups, from the top: what the containers ask for is written, what vmcg has set before
 * and nobody asks for any more is lifted, what vmcg never set is left alone. The order within a cgroup is that of
 * `resourceWrites`. Devices and the CPU lists of v1 have rules of their own.
 *
 * @throws what `resourceWrites` throws; `ERR_VMCG_NO_CONTROLLER` for a limit whose controller the sandbox does not have.
 */
export function planKnobs(builder: PlanBuilder, desired: Desired): void {
  const versions = versionsOf(builder.hierarchies)
  const parts = splitByVersion(desired.resources, versions)
  for (const version of versions.mounted) {
    const hierarchies = builder.hierarchies.filter((hierarchy) => hierarchy.version === version)
    // The weight of the leaf belongs to the version that has cpu.
    const vcpus = versions.of('cpu') === version ? desired.vcpus : []
    for (const own of ownCgroups({ ...desired, vcpus }, parts[version], version)) {
      const { path, resources } = own
      const observed = builder.knobTexts(path, version)
      const managed = desired.managed.filter((knob) => hierarchies.some(({ id }) => id === knob.hierarchy))
      const writes = resourceWrites(version === 1 ? withoutLists(resources) : resources, {
        version,
        observed,
        previous: version === 1 ? previousWritesV1(own, managed, observed) : previousWrites(own, managed),
        onUnsupported: (refusal) => {
          if (desired.unsupported === 'error') throw refusal
          builder.warn(`${desired.id}: left out: ${refusal.message}`)
        },
      })
      for (const { controller, file, value } of writes) {
        const hierarchy = hierarchies.find(
          ({ controllers }) => controller === 'cgroup' || controllers.includes(controller),
        )
        if (hierarchy === undefined) throw noController(desired.id, controller, file, version)
        builder.change(hierarchy.id, path, file, value)
      }
    }
  }
}

function withoutLists({ cpu, ...others }: LinuxResources): LinuxResources {
  if (cpu === undefined) return others
  const { cpus: _cpus, mems: _mems, ...rest } = cpu
  return { ...others, cpu: rest }
}

function noController(id: string, controller: string, file: string, version: 1 | 2): VmcgError {
  return new VmcgError(
    'ERR_VMCG_NO_CONTROLLER',
    `${id}: ${file} is asked for, and ${controller} is not mounted as cgroup v${version}`,
    {
      value: controller,
      hint: `mount the controller, or leave the limit out: cat /proc/cgroups`,
    },
  )
}

const QUOTA = 'cpu.cfs_quota_us'
const PERIOD = 'cpu.cfs_period_us'

/** What was written to the knobs of a cgroup before, for `resourceWrites` to lift. */
function previousWrites({ path }: OwnCgroup, managed: readonly ManagedKnob[]): readonly KnobWrite[] {
  return managed
    .filter((knob) => knob.path === path && !knob.knob.startsWith('devices.'))
    .map(({ knob, value }) => ({ controller: controllerOf(knob), file: knob, value }))
}

/**
 * Of v1 not cpusets, which follow their parents, and not the period beside a quota that somebody else has set: another
 * period would be another limit. Else it goes with the quota, or the next quota without a period would be one per what
 * was asked for long ago.
 */
function previousWritesV1(
  own: OwnCgroup,
  managed: readonly ManagedKnob[],
  observed: ObservedKnobs,
): readonly KnobWrite[] {
  const all = previousWrites(own, managed)
  const isQuotaOurs = Boolean(own.resources.cpu?.quota) || all.some(({ file }) => file === QUOTA)
  const staysAsItIs = (file: string): boolean =>
    file.startsWith('cpuset.') || (file === PERIOD && !isQuotaOurs && (observed[QUOTA] ?? '-1') !== '-1')
  return all.filter(({ file }) => !staysAsItIs(file))
}

/** `'blkio'` of `'blkio.throttle.read_bps_device'`. */
function controllerOf(file: string): string {
  return file.slice(0, file.indexOf('.'))
}

/** The places (file, and line of it) that the resources of a cgroup ask for, whatever the kernel says now. */
export function askedPlaces(resources: LinuxResources, version: 1 | 2): readonly string[] {
  const asked = version === 1 ? withoutLists(resources) : resources
  return resourceWrites(asked, { version, onUnsupported: () => undefined }).map(placeOf)
}
