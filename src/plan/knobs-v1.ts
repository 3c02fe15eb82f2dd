import { VmcgError } from '../errors'
import type { LinuxResources } from '../model/generated/oci'
import { placeOf } from '../model/resources/keyed-lines'
import type { KnobWrite } from '../model/resources/knob'
import { resourceWrites } from '../model/resources/resource-writes'
import type { Desired, ManagedKnob } from './desired'
import { ownCgroups } from './own-cgroups'
import type { PlanBuilder } from './plan-builder'

/**
 * Plans the knobs of our own cgroups, from the top: what the containers ask for is written, what vmcg has set before
 * and nobody asks for any more is lifted, what vmcg never set is left alone. The order within a cgroup is that of
 * `resourceWrites`. CPU lists and devices have rules of their own.
 *
 * @throws what `resourceWrites` throws; `ERR_VMCG_NO_CONTROLLER` for a limit whose controller the sandbox does not have.
 */
export function planKnobs(builder: PlanBuilder, desired: Desired): void {
  for (const { path, resources } of ownCgroups(desired)) {
    const writes = resourceWrites(withoutLists(resources), {
      version: 1,
      observed: builder.knobTexts(path),
      previous: previousWrites(desired.managed, path),
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
    `sandbox ${id}: ${file} is asked for, and ${controller} is not mounted`,
    {
      value: controller,
      hint: `mount the controller, or leave the limit out: cat /proc/cgroups`,
    },
  )
}

/**
 * What was written to the knobs of a cgroup before, for `resourceWrites` to lift. Not cpusets and devices, which follow
 * their parents, and not the period: without a quota it holds nobody back, and beside one that somebody else has set, another
 * period would be another limit.
 */
export function previousWrites(managed: readonly ManagedKnob[], path: string): readonly KnobWrite[] {
  return managed
    .filter(
      ({ path: where, knob }) =>
        where === path &&
        knob !== 'cpu.cfs_period_us' &&
        !knob.startsWith('cpuset.') &&
        !knob.startsWith('devices.'),
    )
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
