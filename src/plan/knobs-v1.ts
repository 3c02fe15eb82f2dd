import { VmcgError } from '../errors'
import type { LinuxResources } from '../model/generated/oci'
import { placeOf } from '../model/resources/keyed-lines'
import type { KnobWrite, ObservedKnobs } from '../model/resources/knob'
import { resourceWrites } from '../model/resources/resource-writes'
import type { Desired, ManagedKnob } from './desired'
import { type OwnCgroup, ownCgroups } from './own-cgroups'
import type { PlanBuilder } from './plan-builder'

/**
 * Plans the knobs of our own cgroups, from the top: what the containers ask for is written, what vmcg has set before
 * and nobody asks for any more is lifted, what vmcg never set is left alone. The order within a cgroup is that of
 * `resourceWrites`. CPU lists and devices have rules of their own.
 *
 * @throws what `resourceWrites` throws; `ERR_VMCG_NO_CONTROLLER` for a limit whose controller the sandbox does not have.
 */
export function planKnobs(builder: PlanBuilder, desired: Desired): void {
  for (const own of ownCgroups(desired)) {
    const { path, resources } = own
    const observed = builder.knobTexts(path)
    const writes = resourceWrites(withoutLists(resources), {
      version: 1,
      observed,
      previous: previousWrites(own, desired.managed, observed),
    })
    for (const { controller, file, value } of writes) {
      const hierarchy = builder.hierarchyOf(controller)
      if (hierarchy === undefined) throw noController(desired.id, controller, file)
      builder.change(hierarchy, path, file, value)
    }
  }
}

function withoutLists({ cpu, ...others }: LinuxResources): LinuxResources {
  if (cpu === undefined) return others
  const { cpus: _cpus, mems: _mems, ...rest } = cpu
  return { ...others, cpu: rest }
}

function noController(id: string, controller: string, file: string): VmcgError {
  return new VmcgError(
    'ERR_VMCG_NO_CONTROLLER',
    `${id}: ${file} is asked for, and ${controller} is not mounted`,
    {
      value: controller,
      hint: `mount the controller, or leave the limit out: cat /proc/cgroups`,
    },
  )
}

const QUOTA = 'cpu.cfs_quota_us'
const PERIOD = 'cpu.cfs_period_us'

/**
 * What was written to the knobs of a cgroup before, for `resourceWrites` to lift. Not cpusets and devices, which follow
 * their parents, and not the period beside a quota that somebody else has set: another period would be another limit.
 * Else it goes with the quota, or the next quota without a period would be one per what was asked for long ago.
 */
function previousWrites(
  { path, resources }: OwnCgroup,
  managed: readonly ManagedKnob[],
  observed: ObservedKnobs,
): readonly KnobWrite[] {
  const own = managed.filter((knob) => knob.path === path)
  const isQuotaOurs = Boolean(resources.cpu?.quota) || own.some(({ knob }) => knob === QUOTA)
  const staysAsItIs = (knob: string): boolean =>
    knob.startsWith('cpuset.') ||
    knob.startsWith('devices.') ||
    (knob === PERIOD && !isQuotaOurs && (observed[QUOTA] ?? '-1') !== '-1')
  return own
    .filter(({ knob }) => !staysAsItIs(knob))
    .map(({ knob, value }) => ({ controller: controllerOf(knob), file: knob, value }))
}

/** `'blkio'` of `'blkio.throttle.read_bps_device'`. */
function controllerOf(file: string): string {
  return file.slice(0, file.indexOf('.'))
}

/** The places (file, and line of it) that the resources of a cgroup ask for, whatever the kernel says now. */
export function askedPlaces(resources: LinuxResources): ReadonlySet<string> {
  return new Set(resourceWrites(withoutLists(resources), { version: 1 }).map(placeOf))
}
