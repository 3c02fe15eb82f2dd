import type { LinuxResources } from '../model/generated/oci'
import { placeOf } from '../model/resources/keyed-lines'
import { splitLimits } from '../model/resources/named-limits'
import { isLift } from '../model/resources/unlimited'
import { SUBTREE_CONTROL, TYPE } from './after-v2'
import { askedPlaces } from './asked'
import { type Desired, type ManagedKnob, sandboxPaths } from './desired'
import type { Operation } from './operations'
import { ownCgroups } from './own-cgroups'
import { ownCgroupsV2 } from './own-cgroups-v2'
import { FREEZER_STATE } from './stand-still'
import { controllerOf, resourcesOn, type Version, versionOfHierarchy } from './versions'

/**
 * What vmcg has written to our own cgroups, with what these operations are about to write; a later value takes an
 * earlier's place, but "no limit" does not.
 * Not the weight of the leaf: that follows the vCPU threads, and where nobody says which those are it stays.
 */
export function managedWith(
  before: readonly ManagedKnob[],
  operations: readonly Operation[],
  where: Pick<Desired, 'id' | 'parent' | 'scope' | 'hasLeaf'>,
): readonly ManagedKnob[] {
  const { sandbox, vcpu } = sandboxPaths(where)
  const written = operations.flatMap((operation): readonly ManagedKnob[] => {
    if (operation.kind !== 'write-knob') return []
    const { hierarchy, path, knob, value } = operation
    if (path !== sandbox && path !== vcpu) return []
    // What a cgroup is, not a limit of it.
    if (knob === TYPE || knob === SUBTREE_CONTROL) return []
    if (where.hasLeaf && path === vcpu && LEAF_WEIGHTS.includes(knob)) return []
    // A single device rule cannot be lifted: what counts is that there are rules of ours at all.
    if (isDeviceKnob(knob)) return [{ hierarchy, path, knob: DEVICE_RULES, value: '' }]
    return splitLimits({ file: knob, value }).map((limit) => ({ hierarchy, path, knob, value: limit.value }))
  })
  const all = new Map(before.map((managed) => [identity(managed), managed]))
  for (const managed of written) {
    // This is written down before it is done: until then there is a limit to answer for.
    if (isLift({ file: managed.knob, value: managed.value }) && all.has(identity(managed))) continue
    all.set(identity(managed), managed)
  }
  return [...all.values()]
}

const LEAF_WEIGHTS: readonly string[] = ['cpu.shares', 'cpu.weight']

/** What stands for all device rules that were written to a cgroup. */
export const DEVICE_RULES = 'devices.list'

function isDeviceKnob(knob: string): boolean {
  return knob.startsWith('devices.')
}

function identity({ hierarchy, path, knob, value }: ManagedKnob): string {
  return JSON.stringify([hierarchy, path, placeOf({ file: knob, value })])
}

/** What vmcg still answers for once `desired` is reached: what it has lifted it leaves alone from then on. */
export function managedWithoutLifted(
  managed: readonly ManagedKnob[],
  desired: Pick<Desired, 'id' | 'parent' | 'scope' | 'hasLeaf'> & { readonly resources: LinuxResources },
): readonly ManagedKnob[] {
  const versions = new Set(managed.map(({ hierarchy }) => versionOfHierarchy(hierarchy)))
  const asked = new Map([...versions].map((version) => [version, askedOn(version, managed, desired)]))
  return managed.filter(({ hierarchy, path, knob, value }) => {
    if (knob === FREEZER_STATE) return true
    if (isDeviceKnob(knob)) return desired.resources.devices !== undefined
    const version = versionOfHierarchy(hierarchy)
    if (version === 1 && knob.startsWith('cpuset.')) return true
    return (
      asked
        .get(version)
        ?.get(path)
        ?.has(placeOf({ file: knob, value })) === true
    )
  })
}

/** For each of our cgroups what is asked of the controllers that something was written to on one version. */
function askedOn(
  version: Version,
  managed: readonly ManagedKnob[],
  desired: Parameters<typeof managedWithoutLifted>[1],
): ReadonlyMap<string, ReadonlySet<string>> {
  const written = new Map(
    managed.map(({ hierarchy, knob }) => [controllerOf(knob), versionOfHierarchy(hierarchy)]),
  )
  const resources = resourcesOn(version, desired.resources, (controller) => written.get(controller))
  const own =
    version === 1
      ? ownCgroups({ ...desired, resources, vcpus: [] })
      : ownCgroupsV2({ ...desired, vcpus: [] }, resources, false)
  return new Map(own.map(({ path, resources: part }) => [path, askedPlaces(part, version)]))
}
