import type { LinuxDeviceCgroup } from './generated/oci'

export type DeviceAccessLetter = 'r' | 'w' | 'm'
const EVERY_ACCESS: readonly DeviceAccessLetter[] = ['r', 'w', 'm']

/** Devices, and what is done with them: read, write, make a node. */
export interface DeviceSet {
  /** `a`: character and block devices. */
  readonly type: 'a' | 'b' | 'c'
  /** undefined: every number. */
  readonly major: number | undefined
  readonly minor: number | undefined
  /** In the order r, w, m. */
  readonly access: readonly DeviceAccessLetter[]
}

/** A device rule with its defaults filled in. */
export interface DeviceRule extends DeviceSet {
  readonly allow: boolean
}

/** The rule that every list of the merge begins with: nothing is allowed. */
export const DENY_ALL: LinuxDeviceCgroup = Object.freeze({ allow: false, type: 'a', access: 'rwm' })

/**
 * Reads a rule of an OCI config: without a type it is for both, without a number, or with -1, for every number, and
 * without an access for all three. Source: config-linux.md, allowed device list; -1 as runc and Docker write it.
 */
export function deviceRule({
  allow,
  type = 'a',
  major = -1,
  minor = -1,
  access = 'rwm',
}: LinuxDeviceCgroup): DeviceRule {
  return {
    allow,
    type,
    major: major < 0 ? undefined : major,
    minor: minor < 0 ? undefined : minor,
    access: EVERY_ACCESS.filter((letter) => access.includes(letter)),
  }
}

/** The rule in the form of an OCI config. */
export function toOci({ allow, type, major, minor, access }: DeviceRule): LinuxDeviceCgroup {
  return {
    allow,
    type,
    ...(major !== undefined && { major }),
    ...(minor !== undefined && { minor }),
    access: access.join(''),
  }
}

/** As the v1 device controller reads and writes it, without allow or deny: `c 1:3 rwm`, `b 8:* r`. */
export function formatDeviceRule({ type, major, minor, access }: DeviceSet): string {
  return `${type} ${major ?? '*'}:${minor ?? '*'} ${access.join('')}`
}

/** True when every device of `inner` is one of `outer`, whatever is done with it. */
export function coversDevices(outer: DeviceSet, inner: DeviceSet): boolean {
  return (
    (outer.type === 'a' || outer.type === inner.type) &&
    (outer.major === undefined || outer.major === inner.major) &&
    (outer.minor === undefined || outer.minor === inner.minor)
  )
}

/** True when every access to every device of `inner` is one of `outer`. */
export function covers(outer: DeviceSet, inner: DeviceSet): boolean {
  return coversDevices(outer, inner) && inner.access.every((letter) => outer.access.includes(letter))
}

/** What is in both: the accesses that both have, to the devices that both are for. undefined: nothing. */
export function intersection(a: DeviceSet, b: DeviceSet): DeviceSet | undefined {
  const access = a.access.filter((letter) => b.access.includes(letter))
  const meets =
    access.length > 0 &&
    (a.type === 'a' || b.type === 'a' || a.type === b.type) &&
    (a.major === undefined || b.major === undefined || a.major === b.major) &&
    (a.minor === undefined || b.minor === undefined || a.minor === b.minor)
  if (!meets) return undefined
  return {
    type: a.type === 'a' ? b.type : a.type,
    major: a.major ?? b.major,
    minor: a.minor ?? b.minor,
    access,
  }
}

/** True when some access to some device is in both. */
export function overlaps(a: DeviceSet, b: DeviceSet): boolean {
  return intersection(a, b) !== undefined
}
