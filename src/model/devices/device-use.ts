import { VmcgError } from '../../errors'
import { type DeviceRule, type DeviceSet, formatDeviceRule } from '../device-rule'
import { quote, short } from '../quote'
import { isSameDevice } from './device-access'

/** A device that was added for somebody. */
export interface DeviceUse {
  /** Who asked for it, such as a container's id. */
  readonly owner: string
  /** As it was added. What is there now may be another device, or none. */
  readonly path: string
  readonly rule: DeviceRule
}

/**
 * The uses with one more. An owner uses a device once, however often it is added: with the access that it was added
 * with last.
 */
export function addDeviceUse(uses: readonly DeviceUse[], added: DeviceUse): readonly DeviceUse[] {
  return [...uses.filter((use) => !isSameUse(use, added)), added]
}

/**
 * The uses without this owner's of the device, whatever access it has. Others go on using it: {@link isDeviceInUse}.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` when the device was not added for this owner.
 */
export function removeDeviceUse(
  uses: readonly DeviceUse[],
  removed: { readonly owner: string; readonly rule: DeviceSet },
): readonly DeviceUse[] {
  const left = uses.filter((use) => !isSameUse(use, removed))
  if (left.length < uses.length) return left
  throw new VmcgError(
    'ERR_VMCG_INVALID_ARGUMENT',
    `the device ${formatDeviceRule(removed.rule)} was not added for ${quote(removed.owner)}`,
    { value: short(formatDeviceRule(removed.rule)) },
  )
}

/** True while somebody uses the device: then its rule stays. */
export function isDeviceInUse(uses: readonly DeviceUse[], device: DeviceSet): boolean {
  return uses.some(({ rule }) => isSameDevice(rule, device))
}

function isSameUse(
  a: { readonly owner: string; readonly rule: DeviceSet },
  b: { readonly owner: string; readonly rule: DeviceSet },
): boolean {
  return a.owner === b.owner && isSameDevice(a.rule, b.rule)
}
