import * as fc from 'fast-check'
import { afterDeviceWrite } from '../../src/model/devices/after-device-write'
import type { DeviceAccess } from '../../src/model/devices/device-access'
import { deviceState } from '../../src/model/devices/device-state'
import { type DeviceWrite, deviceWrites, emptiesFirst } from '../../src/model/devices/device-writes'
import { accessOf, anyAccess, isGranted, linesOf, REQUESTS, rules } from '../support/device-rules'
import { forAll } from '../support/for-all'

const ALL = 'a *:* rwm'
const change = fc.tuple(anyAccess, anyAccess)

function writes(observed: string[], wanted: string[]): string[] {
  return deviceWrites(accessOf(...observed), accessOf(...wanted)).map(({ file, value }) => `${file} ${value}`)
}

/** The access before the first write, and after each of them. */
function stations(observed: DeviceAccess, list: readonly DeviceWrite[]): DeviceAccess[] {
  const all = [observed]
  for (const write of list) all.push(afterDeviceWrite(all.at(-1) ?? observed, write))
  return all
}

it.each<[string, string[], string[], string[]]>([
  ['nothing to write for nothing to do', ['c 1:3 rw'], ['c 1:3 rw'], []],
  ['nothing to write for another order', ['c 1:3 rw', 'b 8:0 r'], ['b 8:0 r', 'c 1:3 rw'], []],
  ['nothing to write where all is allowed anyway', [ALL], [ALL], []],
  ['a new device', ['c 1:3 rw'], ['c 1:3 rw', 'c 1:5 r'], ['devices.allow c 1:5 r']],
  ['a removed device', ['c 1:3 rw', 'c 1:5 r'], ['c 1:3 rw'], ['devices.deny c 1:5 r']],
  ['the letters that differ', ['c 1:3 rw'], ['c 1:3 wm'], ['devices.allow c 1:3 m', 'devices.deny c 1:3 r']],
  [
    'the narrower rule before the wider one goes',
    ['c 1:* rw'],
    ['c 1:3 rw'],
    ['devices.allow c 1:3 rw', 'devices.deny c 1:* rw'],
  ],
  [
    'a new cgroup’s list',
    [ALL],
    ['c 1:3 rw', 'b 8:0 r'],
    ['devices.deny a', 'devices.allow c 1:3 rw', 'devices.allow b 8:0 r'],
  ],
  ['a new cgroup’s empty list', [ALL], [], ['devices.deny a']],
  [
    'everything, without taking anything away before',
    ['c 1:3 rw'],
    [ALL],
    ['devices.allow b *:* rwm', 'devices.allow c *:* rwm', 'devices.deny c 1:3 rw'],
  ],
  ['nothing more where everything is allowed by its types', ['b *:* rwm', 'c *:* rwm'], [ALL], []],
  [
    'a list where everything was allowed by its types',
    ['b *:* rwm', 'c *:* rwm'],
    ['c 1:3 r'],
    ['devices.allow c 1:3 r', 'devices.deny b *:* rwm', 'devices.deny c *:* rwm'],
  ],
])('writes %s', (_, observed, wanted, expected) => {
  expect(writes(observed, wanted)).toEqual(expected)
})

it('ends in what is wanted, and then has nothing left to write', () => {
  forAll(change, ([observed, wanted]) => {
    const end = stations(observed, deviceWrites(observed, wanted)).at(-1) ?? observed
    for (const request of REQUESTS)
      expect([request, isGranted(end, request)]).toEqual([request, isGranted(wanted, request)])
    if (wanted.byDefault === 'deny') expect(linesOf(end)).toEqual(linesOf(wanted))
    expect(deviceWrites(end, wanted)).toEqual([])
  })
})

it('has no moment at which something is refused that is allowed before and after', () => {
  forAll(
    change.filter(([observed, wanted]) => !emptiesFirst(observed, wanted)),
    ([observed, wanted]) => {
      const kept = REQUESTS.filter((request) => isGranted(observed, request) && isGranted(wanted, request))
      for (const station of stations(observed, deviceWrites(observed, wanted))) {
        for (const request of kept) expect([request, isGranted(station, request)]).toEqual([request, true])
      }
    },
  )
})

it('would be caught by that if it denied first', () => {
  const [observed, wanted] = [accessOf('c 1:* rw'), accessOf('c 1:3 rw')]
  const denyFirst = deviceWrites(observed, wanted).toReversed()
  const request = { type: 'c', major: 1, minor: 3, access: ['r', 'w'] } as const
  expect(stations(observed, denyFirst).map((station) => isGranted(station, request))).toEqual([
    true,
    false,
    true,
  ])
})

it('never writes a to a cgroup that denies by default', () => {
  forAll(change, ([observed, wanted]) => {
    const values = deviceWrites(observed, wanted).map(({ value }) => value)
    expect(values.includes('a')).toBe(emptiesFirst(observed, wanted))
    expect(values.lastIndexOf('a')).toBeLessThanOrEqual(0)
  })
})

it('brings a new cgroup to what rules mean', () => {
  const wanted = deviceState(rules('deny a *:* rwm', 'allow c 1:3 r', 'allow c 1:3 w', 'deny c 10:229 rwm'))
  expect(deviceWrites(accessOf(ALL), wanted)).toEqual([
    { file: 'devices.deny', value: 'a' },
    { file: 'devices.allow', value: 'c 1:3 rw' },
  ])
})
