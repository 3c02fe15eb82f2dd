import * as fc from 'fast-check'
import { type DeviceRule, deviceRule, formatDeviceRule } from '../../src/model/device-rule'
import { type DeviceAccess, formatDevicesList, parseDevicesList } from '../../src/model/devices/device-access'
import type { LinuxDeviceCgroup } from '../../src/model/generated/oci'

/** `'allow c 1:3 rw'` as a rule of an OCI config. */
export function ociRule(text: string): LinuxDeviceCgroup {
  const [verdict, type, numbers = '', access = ''] = text.split(' ')
  const [major, minor] = numbers.split(':')
  return {
    allow: verdict === 'allow',
    type: type === 'c' || type === 'b' ? type : 'a',
    ...(major !== '*' && { major: Number(major) }),
    ...(minor !== '*' && { minor: Number(minor) }),
    access,
  }
}

/** `'allow c 1:3 rw'` as a rule. */
export function rule(text: string): DeviceRule {
  return deviceRule(ociRule(text))
}

export function rules(...texts: string[]): DeviceRule[] {
  return texts.map(rule)
}

/** The other way round. */
export function ruleText(one: DeviceRule): string {
  return `${one.allow ? 'allow' : 'deny'} ${formatDeviceRule(one)}`
}

/** The access whose `devices.list` has these lines. */
export function accessOf(...lines: string[]): DeviceAccess {
  return parseDevicesList(lines.join('\n'))
}

/** The lines of its `devices.list`, sorted: their order means nothing. */
export function linesOf(access: DeviceAccess): string[] {
  return formatDevicesList(access).split('\n').slice(0, -1).sort()
}

const numbers = fc.record({ major: fc.constantFrom('*', '1', '2'), minor: fc.constantFrom('*', '3', '4') })
const letters = fc.constantFrom('r', 'w', 'm', 'rw', 'rm', 'rwm')

/** Rules over few devices, so that they meet. */
export const anyRule: fc.Arbitrary<DeviceRule> = fc
  .record({
    verdict: fc.constantFrom('allow', 'deny'),
    type: fc.constantFrom('a', 'b', 'c'),
    numbers,
    letters,
  })
  .map(({ verdict, type, numbers: { major, minor }, letters: access }) =>
    rule(`${verdict} ${type} ${major}:${minor} ${access}`),
  )

/** Accesses over the same devices, seldom one that allows by default. */
export const anyAccess: fc.Arbitrary<DeviceAccess> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<DeviceAccess>({ byDefault: 'allow' }) },
  {
    weight: 9,
    arbitrary: fc
      .uniqueArray(
        fc.record({ type: fc.constantFrom('b', 'c'), numbers, letters }).map((line) => ({
          device: `${line.type} ${line.numbers.major}:${line.numbers.minor}`,
          access: line.letters,
        })),
        { selector: ({ device }) => device, maxLength: 8 },
      )
      .map((lines) => accessOf(...lines.map(({ device, access }) => `${device} ${access}`))),
  },
)

/** An open or a mknod as the kernel asks for it: of one device, with one letter or two. */
export interface DeviceRequest {
  readonly type: 'b' | 'c'
  readonly major: number
  readonly minor: number
  readonly access: readonly ('r' | 'w' | 'm')[]
}

/** Every request over the devices of {@link anyRule}, and to one that no rule names. */
export const REQUESTS: readonly DeviceRequest[] = (['b', 'c'] as const).flatMap((type) =>
  [
    [1, 3],
    [1, 4],
    [2, 3],
    [9, 9],
  ].flatMap(([major = 0, minor = 0]) =>
    ([['r'], ['w'], ['m'], ['r', 'w']] as const).map((access) => ({ type, major, minor, access })),
  ),
)

/** The kernel's decision, written down anew from security/device_cgroup.c: one exception must have all the letters. */
export function isGranted(access: DeviceAccess, request: DeviceRequest): boolean {
  if (access.byDefault === 'allow') return true
  return access.exceptions.some(
    (exception) =>
      exception.type === request.type &&
      [undefined, request.major].includes(exception.major) &&
      [undefined, request.minor].includes(exception.minor) &&
      request.access.every((letter) => exception.access.includes(letter)),
  )
}
