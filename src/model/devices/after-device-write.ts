import { type DeviceAccess, isSameDevice, parseException, withAccess, withoutAccess } from './device-access'
import type { DeviceWrite } from './device-writes'

/**
 * The access of a cgroup after a write that {@link deviceWrites} made: the kernel's own rules. An allow adds letters to
 * the exception of the same numbers, a deny takes them away; one for other numbers, wider or narrower, has no effect.
 * Where all is allowed by default, a rule makes no difference that can be seen.
 *
 * Source: security/device_cgroup.c, dev_exception_add and dev_exception_rm.
 */
export function afterDeviceWrite(access: DeviceAccess, { file, value }: DeviceWrite): DeviceAccess {
  const isAllow = file === 'devices.allow'
  if (value === 'a') return isAllow ? { byDefault: 'allow' } : { byDefault: 'deny', exceptions: [] }
  if (access.byDefault === 'allow') return access
  const rule = parseException(value)
  const exceptions = isAllow
    ? withAccess(access.exceptions, rule)
    : withoutAccess(access.exceptions, (each) => isSameDevice(each, rule), rule.access)
  return { byDefault: 'deny', exceptions }
}
