import { VmcgError, type VmcgErrorCode } from '../../errors'
import { type DeviceRule, deviceRule } from '../device-rule'
import type { LinuxDeviceCgroup } from '../generated/oci'
import { quote, short } from '../quote'

/**
 * The largest number that a rule can name. 4294967295 is the kernel's own sign for "every number": written as digits it
 * would turn a rule for one device into one for all of them. Source: security/device_cgroup.c, devcgroup_update_access.
 */
const LARGEST_NUMBER = 2 ** 32 - 2

/**
 * A rule of an OCI config as {@link deviceRule} reads it, held to what the v1 device controller takes. A specific minor
 * number for every major number (`c *:3 r`) is fine with the kernel, and so is it here.
 *
 * @param field Where the rule comes from, for messages: `linux.resources.devices[3]`.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for another `type` than a, b or c, for an `access` that is empty or has other
 *   letters than r, w and m, or one of them twice; `ERR_VMCG_OUT_OF_RANGE` for a number that is no integer from 0 to
 *   4294967294, or -1 for every number. Both name the field and hold the value.
 */
export function checkedDeviceRule(rule: LinuxDeviceCgroup, field: string): DeviceRule {
  const { allow, type, major, minor, access } = rule
  if (typeof allow !== 'boolean') refuse('ERR_VMCG_INVALID_ARGUMENT', `${field}.allow`, allow, 'no boolean')
  checkType(`${field}.type`, type)
  checkNumber(`${field}.major`, major)
  checkNumber(`${field}.minor`, minor)
  checkAccess(`${field}.access`, access)
  return deviceRule(rule)
}

function refuse(code: VmcgErrorCode, field: string, value: unknown, why: string, hint?: string): never {
  throw new VmcgError(code, `${field} ${quote(value)} is ${why}`, { value: short(value), hint })
}

function checkType(field: string, type: string | undefined): void {
  if (type === undefined || type === 'a' || type === 'b' || type === 'c') return
  const hint = type === 'u' ? 'an unbuffered character device is of type c' : undefined
  refuse('ERR_VMCG_INVALID_ARGUMENT', field, type, 'no type of a device rule: a, b or c', hint)
}

function checkNumber(field: string, number: number | undefined): void {
  if (number === undefined || number === -1) return
  if (Number.isInteger(number) && number >= 0 && number <= LARGEST_NUMBER) return
  refuse('ERR_VMCG_OUT_OF_RANGE', field, number, `no device number: 0 to ${LARGEST_NUMBER}, or -1 for every`)
}

function checkAccess(field: string, access: string | undefined): void {
  if (access === undefined) return
  if (typeof access === 'string' && /^(?!.*(.).*\1)[rwm]+$/.test(access)) return
  refuse('ERR_VMCG_INVALID_ARGUMENT', field, access, 'no access: letters of r, w and m, each at most once')
}
