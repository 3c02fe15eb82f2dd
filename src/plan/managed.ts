import type { LinuxResources } from '../model/generated/oci'
import { placeOf } from '../model/resources/keyed-lines'
import { splitLimits } from '../model/resources/named-limits'
import { splitByVersion, type Versions } from '../model/resources/split-by-version'
import { isLift } from '../model/resources/unlimited'
import { UNIFIED } from '../model/unified'
import { SUBTREE_CONTROL, TYPE } from './after-v2'
import { type Desired, type ManagedKnob, sandboxPaths } from './desired'
import { askedPlaces } from './knobs'
import type { Operation } from './operations'
import { ownCgroups } from './own-cgroups'

/**
 * What vmcg has written to our own cgroups, with what these operations are about to write; a later value takes an
 * earlier's place, but "no limit" does not.
 * Not the weight of the leaf: that follows the vCPU threads, and where nobody says which those are it stays.
 */
export function managedWith(
  before: readonly ManagedKnob[],
  operations: readonly Operation[],
  where: Pick<Desired, 'id' | 'parent' | 'hasLeaf'>,
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
  desired: Pick<Desired, 'id' | 'parent' | 'hasLeaf'> & { readonly resources: LinuxResources },
  versions: Versions,
): readonly ManagedKnob[] {
  const parts = splitByVersion(desired.resources, versions)
  const asked = new Set(
    versions.mounted.flatMap((version) =>
      ownCgroups({ ...desired, vcpus: [] }, parts[version], version).flatMap(({ path, resources }) =>
        askedPlaces(resources, version).map((place) => `${path}\0${place}`),
      ),
    ),
  )
  return managed.filter(({ hierarchy, path, knob, value }) => {
    if (isDeviceKnob(knob)) return desired.resources.devices !== undefined
    const isFilledV1 = knob.startsWith('cpuset.') && hierarchy !== UNIFIED
    return isFilledV1 || asked.has(`${path}\0${placeOf({ file: knob, value })}`)
  })
}
