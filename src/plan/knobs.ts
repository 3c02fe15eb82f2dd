import { VmcgError } from '../errors'
import type { LinuxResources } from '../model/generated/oci'
import type { KnobWrite, ObservedKnobs } from '../model/resources/knob'
import { knobsOf } from '../model/resources/knobs-of'
import { resourceWrites } from '../model/resources/resource-writes'
import { EMPTY_LIST } from '../model/resources/unlimited'
import type { OnUnsupported } from '../model/resources/unsupported'
import { withoutEmptyLists } from './asked'
import { refuseUnavailable } from './cpusets-v2'
import { type Desired, type ManagedKnob, sandboxPaths } from './desired'
import { type OwnCgroup, ownCgroups } from './own-cgroups'
import { ownCgroupsV2 } from './own-cgroups-v2'
import type { PlanBuilder } from './plan-builder'
import { CORE, controllerOf, resourcesOn, type Version, versionsIn } from './versions'

/**
 * Plans the knobs of our own cgroups, from the top: what the containers ask for is written, what vmcg has set before
 * and nobody asks for any more is lifted, what vmcg never set is left alone. Each controller is used where it lives.
 * The order within a cgroup is that of `resourceWrites`. CPU lists of v1 and devices have rules of their own.
 *
 * @throws what `resourceWrites` throws; `ERR_VMCG_NO_CONTROLLER` for a limit whose controller the sandbox does not
 *   have; `ERR_VMCG_OUT_OF_RANGE` for CPUs or memory nodes that the parent does not have.
 */
export function planKnobs(builder: PlanBuilder, desired: Desired): void {
  const versionOf = versionsIn(builder.hierarchies)
  const versions = new Set(builder.hierarchies.map(({ version }) => version))
  const main = versionOf('cpu') ?? (versions.has(1) || !versions.has(2) ? 1 : 2)
  const onUnsupported: OnUnsupported | undefined =
    desired.unsupported === 'error'
      ? undefined
      : ({ message }) => builder.warn(`${desired.id}: ${message}; it is left out`)
  const v1 = withoutLists(resourcesOn(1, desired.resources, versionOf, main))
  const vcpus = (versionOf('cpu') ?? main) === 1 ? desired.vcpus : []
  for (const own of ownCgroups({ ...desired, resources: v1, vcpus })) {
    planCgroup(builder, desired, own, 1, onUnsupported)
  }
  const unified = builder.hierarchies.find(({ version }) => version === 2)
  if (unified === undefined) return
  const v2 = resourcesOn(2, desired.resources, versionOf, main)
  for (const own of ownCgroupsV2(desired, v2, versionOf('cpu') === 2)) {
    planCgroup(builder, desired, own, 2, onUnsupported)
  }
  // Of lists that are none the rules of the field say more.
  refuseUnavailable(builder, unified.id, sandboxPaths(desired).parent, v2)
}

function planCgroup(
  builder: PlanBuilder,
  desired: Desired,
  own: OwnCgroup,
  version: Version,
  onUnsupported: OnUnsupported | undefined,
): void {
  const { path, resources } = own
  const hierarchyOf = (controller: string) =>
    builder.hierarchies.find(
      (hierarchy) =>
        hierarchy.version === version &&
        (hierarchy.controllers.includes(controller) || (version === 2 && controller === CORE)),
    )?.id
  if (version === 2) {
    for (const { controller, file } of knobsOf(withoutEmptyLists(resources), version)) {
      if (hierarchyOf(controller) === undefined) throw noController(desired.id, controller, file)
    }
  }
  const ids = builder.hierarchies.filter((hierarchy) => hierarchy.version === version).map(({ id }) => id)
  const managed = desired.managed.filter(({ hierarchy }) => ids.includes(hierarchy))
  const observed = builder.knobTexts(path)
  const previous = previousWrites(own, managed, observed, version)
  for (const { controller, file, value } of resourceWrites(resources, {
    version,
    observed,
    previous,
    onUnsupported,
  })) {
    const hierarchy = hierarchyOf(controller)
    if (hierarchy === undefined) throw noController(desired.id, controller, file)
    if (value === EMPTY_LIST) emptyList(builder, { hierarchy, path, file })
    else builder.change(hierarchy, path, file, value)
  }
}

/**
 * Makes a cpuset of v2 follow its parent: an empty one does, but before Linux 6.11 the kernel empties none that holds
 * somebody (ENOSPC). There everything that the host has does the same, since no more than the parent's is in effect.
 *
 * Source: kernel/cgroup/cpuset.c of Linux 6.1, validate_change.
 */
function emptyList(
  builder: PlanBuilder,
  { hierarchy, path, file }: { readonly hierarchy: string; readonly path: string; readonly file: string },
): void {
  const cgroup = builder.cgroup(hierarchy, path)
  const isPopulated = (cgroup?.tids.length ?? 0) > 0 || (cgroup?.pids ?? []).length > 0
  const all = builder.knob(hierarchy, '/', `${file}.effective`)
  // Whoever it was written for may have left since.
  if (all !== undefined && builder.knob(hierarchy, path, file) === all) return
  builder.write(hierarchy, path, file, isPopulated && all !== undefined ? all : EMPTY_LIST)
}

/** The lists of v1 cpusets are planned from the top down, with those of the cgroups above. */
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
 * What was written to the knobs of a cgroup before, for `resourceWrites` to lift. Not v1 cpusets and devices, which
 * follow their parents, and not the period beside a quota that somebody else has set: another period would be another
 * limit. Else it goes with the quota, or the next quota without a period would be one per what was asked for long ago.
 */
function previousWrites(
  { path, resources }: OwnCgroup,
  managed: readonly ManagedKnob[],
  observed: ObservedKnobs,
  version: Version,
): readonly KnobWrite[] {
  const own = managed.filter((knob) => knob.path === path)
  const isQuotaOurs = Boolean(resources.cpu?.quota) || own.some(({ knob }) => knob === QUOTA)
  const staysAsItIs = (knob: string): boolean =>
    knob.startsWith('devices.') ||
    (version === 1 && knob.startsWith('cpuset.')) ||
    (knob === PERIOD && !isQuotaOurs && (observed[QUOTA] ?? '-1') !== '-1')
  return own
    .filter(({ knob }) => !staysAsItIs(knob))
    .map(({ knob, value }) => ({ controller: controllerOf(knob), file: knob, value }))
}
