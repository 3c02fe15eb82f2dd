import { VmcgError } from '../../errors'
import { type DeviceAccessLetter, type DeviceSet, formatDeviceRule } from '../device-rule'
import { quote, short } from '../quote'

/** What the kernel keeps per line of `devices.list`: `a` is no type of an exception. */
export interface DeviceException extends DeviceSet {
  readonly type: 'b' | 'c'
}

/**
 * What a v1 device cgroup lets its processes do. By default it denies, and each exception allows something. Or it
 * allows by default: then the kernel shows `a *:* rwm` whatever exceptions there are, so they can not be known.
 *
 * The kernel holds a request against one exception at a time: with `c 1:* r` and `c 1:5 w`, 1:5 opens for reading and
 * for writing, but not for both. Source: security/device_cgroup.c, match_exception.
 */
export type DeviceAccess =
  | { readonly byDefault: 'allow' }
  | { readonly byDefault: 'deny'; readonly exceptions: readonly DeviceException[] }

const LINE = /^(?<type>[bc]) (?<major>\d+|\*):(?<minor>\d+|\*) (?<access>r?w?m?)$/
const EVERYTHING = 'a *:* rwm'

/**
 * Reads the text of a `devices.list`. An empty one allows nothing.
 *
 * @throws `ERR_VMCG_UNSUPPORTED` for a line that no kernel is known to write.
 */
export function parseDevicesList(text: string): DeviceAccess {
  const lines = text.split('\n').filter((line) => line !== '')
  if (lines.includes(EVERYTHING)) return { byDefault: 'allow' }
  return { byDefault: 'deny', exceptions: lines.map(parseException) }
}

/**
 * Reads a rule in the form of `devices.list` for a type of its own: `c 1:3 rwm`, `b 8:* r`. Errors as
 * {@link parseDevicesList}.
 */
export function parseException(line: string): DeviceException {
  const { type, major = '', minor = '', access = '' } = LINE.exec(line)?.groups ?? {}
  if ((type !== 'b' && type !== 'c') || access === '') {
    throw new VmcgError('ERR_VMCG_UNSUPPORTED', `devices.list has a line that is no rule: ${quote(line)}`, {
      value: short(line),
    })
  }
  return { type, major: numberOf(major), minor: numberOf(minor), access: lettersOf(access) }
}

function numberOf(text: string): number | undefined {
  return text === '*' ? undefined : Number(text)
}

function lettersOf(text: string): readonly DeviceAccessLetter[] {
  return (['r', 'w', 'm'] as const).filter((letter) => text.includes(letter))
}

/** The text of `devices.list` for it, with a newline after every line. */
export function formatDevicesList(access: DeviceAccess): string {
  const lines = access.byDefault === 'allow' ? [EVERYTHING] : access.exceptions.map(formatDeviceRule)
  return lines.map((line) => `${line}\n`).join('')
}

/** True for two exceptions that the kernel keeps as one, with the letters of both: the numbers are the same. */
export function isSameDevice(a: DeviceSet, b: DeviceSet): boolean {
  return a.type === b.type && a.major === b.major && a.minor === b.minor
}

/** The exceptions with these letters added to those of the same device. */
export function withAccess(
  exceptions: readonly DeviceException[],
  added: DeviceException,
): readonly DeviceException[] {
  if (!exceptions.some((each) => isSameDevice(each, added))) return [...exceptions, added]
  return exceptions.map((each) =>
    isSameDevice(each, added)
      ? { ...each, access: lettersOf([...each.access, ...added.access].join('')) }
      : each,
  )
}

/** The exceptions where those that are meant have these letters no more; one without a letter is gone. */
export function withoutAccess(
  exceptions: readonly DeviceException[],
  isMeant: (exception: DeviceException) => boolean,
  letters: readonly DeviceAccessLetter[],
): readonly DeviceException[] {
  return exceptions.flatMap((each) => {
    if (!isMeant(each)) return [each]
    const access = each.access.filter((letter) => !letters.includes(letter))
    return access.length === 0 ? [] : [{ ...each, access }]
  })
}
