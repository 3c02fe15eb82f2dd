import { afterDeviceWrite } from '../model/devices/after-device-write'
import { type DeviceAccess, parseDevicesList } from '../model/devices/device-access'
import { type DeviceWrite, deviceWrites, emptiesFirst } from '../model/devices/device-writes'
import { SUBTREE_CONTROL, TYPE } from '../plan/after-v2'
import { knobValue, type Observed } from '../plan/observed'
import type { Thaw, WriteKnob } from '../plan/operations'
import type { OperationOutcome } from './execute'

/**
 * The operations that undo what a stage has written before it failed, last first, so that each step leads to what was
 * valid before. Device rules are undone together: a single one says nothing of what it replaced.
 *
 * What was frozen is thawed, as soon as its device rules are back.
 *
 * An empty cpuset stays filled: the kernel takes no empty list once a thread or a child is in it.
 *
 * @param observed as it was before the stage.
 */
export function takeBackOperations(
  outcomes: readonly OperationOutcome[],
  observed: Observed,
): readonly (WriteKnob | Thaw)[] {
  const written = outcomes.flatMap(({ operation, errno }) =>
    operation.kind === 'write-knob' && errno === 0 ? [operation] : [],
  )
  const devices = written.filter((write) => isDeviceWrite(write.knob))
  const others = written.toReversed().flatMap((write): readonly WriteKnob[] => {
    const { value, previous } = write
    if (isDeviceWrite(write.knob) || isStructure(write.knob)) return []
    if (previous === null || previous === '') return []
    return [{ ...write, value: previous, previous: value }]
  })
  return [...devicesBack(devices, observed), ...thawsDue(outcomes), ...others]
}

/** Who was frozen for the writes goes on once these are undone. */
function thawsDue(outcomes: readonly OperationOutcome[]): readonly Thaw[] {
  const done = (kind: 'freeze' | 'thaw') =>
    outcomes.flatMap(({ operation, errno }) => (operation.kind === kind && errno === 0 ? [operation] : []))
  return done('thaw').length > 0
    ? []
    : done('freeze').map(({ hierarchy, path }) => ({ kind: 'thaw', hierarchy, path }))
}

/** What v2 has no way back from: a type, and controllers that somebody else may use by now. */
function isStructure(knob: string): boolean {
  return knob === TYPE || knob === SUBTREE_CONTROL
}

function isDeviceWrite(knob: string): knob is DeviceWrite['file'] {
  return knob === 'devices.allow' || knob === 'devices.deny'
}

function devicesBack(writes: readonly WriteKnob[], observed: Observed): readonly WriteKnob[] {
  const [first] = writes
  if (first === undefined) return []
  const { hierarchy, path } = first
  const cgroups = observed.hierarchies.find(({ id }) => id === hierarchy)?.cgroups
  const before = parseDevicesList(knobValue(cgroups?.[path], 'devices.list') ?? 'a *:* rwm')
  const now = writes.reduce(
    (access, { knob, value }) =>
      isDeviceWrite(knob) ? afterDeviceWrite(access, { file: knob, value }) : access,
    before,
  )
  return writesBack(now, before).map(({ file, value }) => ({
    kind: 'write-knob',
    hierarchy,
    path,
    knob: file,
    value,
    previous: null,
  }))
}

/** `a` to devices.allow is refused only where `a` to devices.deny cannot have been written. */
function writesBack(now: DeviceAccess, before: DeviceAccess): readonly DeviceWrite[] {
  return emptiesFirst(before, now) ? [{ file: 'devices.allow', value: 'a' }] : deviceWrites(now, before)
}
