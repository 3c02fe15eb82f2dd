import type { LinuxDeviceCgroup } from './generated/oci'

type Access = 'r' | 'w' | 'm'
const EVERY_ACCESS: readonly Access[] = ['r', 'w', 'm']

/** A device rule with its defaults filled in. */
export interface DeviceRule {
  readonly allow: boolean
  /** `a`: character and block devices. */
  readonly type: 'a' | 'b' | 'c'
  /** undefined: every number. */
  readonly major: number | undefined
  readonly minor: number | undefined
  /** In the order r, w, m. */
  readonly access: readonly Access[]
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

/** The rule as the v1 device controller writes it, for messages: `c 1:3 rwm`, `b 8:* r`. */
export function formatDeviceRule({ type, major, minor, access }: DeviceRule): string {
  return `${type} ${major ?? '*'}:${minor ?? '*'} ${access.join('')}`
}

/** True when every access to every device of `inner` is one of `outer`. */
export function covers(outer: DeviceRule, inner: DeviceRule): boolean {
  return (
    (outer.type === 'a' || outer.type === inner.type) &&
    (outer.major === undefined || outer.major === inner.major) &&
    (outer.minor === undefined || outer.minor === inner.minor) &&
    inner.access.every((letter) => outer.access.includes(letter))
  )
}

/** True when some access to some device is in both. */
export function overlaps(a: DeviceRule, b: DeviceRule): boolean {
  return (
    (a.type === 'a' || b.type === 'a' || a.type === b.type) &&
    (a.major === undefined || b.major === undefined || a.major === b.major) &&
    (a.minor === undefined || b.minor === undefined || a.minor === b.minor) &&
    a.access.some((letter) => b.access.includes(letter))
  )
}
