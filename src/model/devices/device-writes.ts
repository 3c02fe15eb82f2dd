import { type DeviceAccessLetter, formatDeviceRule } from '../device-rule'
import { type DeviceAccess, type DeviceException, isSameDevice } from './device-access'
import { EVERY_DEVICE } from './device-state'

/** One write(2): the kernel reads the first line only. */
export interface DeviceWrite {
  readonly file: 'devices.allow' | 'devices.deny'
  readonly value: string
}

/**
 * What to write to turn the access that a cgroup gives into the wanted one: only the differences, first all that is
 * allowed, then what is denied. So there is no moment at which something is refused that was allowed and stays so.
 *
 * - A cgroup that allows by default can only be taken out of that by `a` to `devices.deny`, which leaves it without
 *   anything until the allows are written: {@link emptiesFirst}. The kernel refuses it (EINVAL) while the cgroup has
 *   child cgroups.
 * - A cgroup that denies by default is never given an `a` again. For "everything" it gets `b *:* rwm` and `c *:* rwm`,
 *   which mean the same: `a` to `devices.allow` drops the exceptions before it turns the default, and opens in between
 *   are refused; nor would the kernel take it where the parent denies by default (EPERM).
 *
 * Nothing to write where the access is the wanted one already.
 *
 * Source: security/device_cgroup.c, devcgroup_update_access.
 */
export function deviceWrites(observed: DeviceAccess, wanted: DeviceAccess): readonly DeviceWrite[] {
  const target = wanted.byDefault === 'allow' ? EVERY_DEVICE : wanted.exceptions
  if (observed.byDefault === 'allow') {
    if (wanted.byDefault === 'allow') return []
    return [{ file: 'devices.deny', value: 'a' }, ...differences('devices.allow', target, [])]
  }
  return [
    ...differences('devices.allow', target, observed.exceptions),
    ...differences('devices.deny', observed.exceptions, target),
  ]
}

/**
 * True when {@link deviceWrites} begin by denying everything, since the cgroup allows by default. In a new cgroup
 * nobody notices. Where processes are in it, what they open before the last write can fail with EPERM, though it was
 * allowed and stays so (what is open stays open): then put them in after the writes, or freeze them meanwhile.
 */
export function emptiesFirst(observed: DeviceAccess, wanted: DeviceAccess): boolean {
  return observed.byDefault === 'allow' && wanted.byDefault === 'deny'
}

/** What `some` have more than `others`. The kernel adds letters to, and takes them from, the very same numbers only. */
function differences(
  file: DeviceWrite['file'],
  some: readonly DeviceException[],
  others: readonly DeviceException[],
): DeviceWrite[] {
  return some.flatMap((each) => {
    const known: readonly DeviceAccessLetter[] =
      others.find((other) => isSameDevice(each, other))?.access ?? []
    const access = each.access.filter((letter) => !known.includes(letter))
    return access.length === 0 ? [] : [{ file, value: formatDeviceRule({ ...each, access }) }]
  })
}
