import * as fc from 'fast-check'
import { deviceRule, formatDeviceRule, overlaps } from '../../src/model/device-rule'
import type { LinuxDeviceCgroup } from '../../src/model/generated/oci'
import { mergeResources } from '../../src/model/merge'
import { ociRule as rule } from '../support/device-rules'
import { forAll } from '../support/for-all'

const DENY_ALL: LinuxDeviceCgroup = { allow: false, access: 'rwm' }

function merged(...lists: string[][]): string[] {
  const containers = lists.map((list, index) => ({
    id: `c${index + 1}`,
    spec: { linux: { resources: { devices: [DENY_ALL, ...list.map(rule)] } } },
  }))
  const devices = mergeResources(containers).devices ?? []
  return devices.map((device) => `${device.allow ? 'allow' : 'deny'} ${formatDeviceRule(deviceRule(device))}`)
}

it('begins with one deny-all, and goes on with what each container allows', () => {
  expect(merged(['allow c 1:3 rwm'], ['allow c 1:5 r', 'allow b 8:0 r'])).toEqual([
    'deny a *:* rwm',
    'allow c 1:3 rwm',
    'allow c 1:5 r',
    'allow b 8:0 r',
  ])
})

it('is absent when no container has rules', () => {
  expect(mergeResources([{ id: 'a' }, { id: 'b', spec: { linux: { resources: { devices: [] } } } }])).toEqual(
    {},
  )
})

it('says once what several containers allow', () => {
  expect(merged(['allow c 1:3 rwm'], ['allow c 1:3 rw', 'allow c 1:3 rwm'])).toEqual([
    'deny a *:* rwm',
    'allow c 1:3 rwm',
  ])
})

it('drops what a wildcard before it allows already', () => {
  expect(merged(['allow c 136:* rw'], ['allow c 136:5 r'])).toEqual(['deny a *:* rwm', 'allow c 136:* rw'])
})

it('takes unset numbers and -1 for every number, and unset type and access for all', () => {
  const devices = [{ allow: true, type: 'c', major: 10, minor: -1 } as const, { allow: true }]
  expect(mergeResources([{ id: 'a', spec: { linux: { resources: { devices } } } }]).devices).toEqual([
    { allow: false, type: 'a', access: 'rwm' },
    { allow: true, type: 'c', major: 10, access: 'rwm' },
    { allow: true, type: 'a', access: 'rwm' },
  ])
})

it('forgets what a container allows before its own deny-all', () => {
  expect(merged(['allow c 1:3 rwm', 'deny a *:* rwm', 'allow c 1:5 r'])).toEqual([
    'deny a *:* rwm',
    'allow c 1:5 r',
  ])
})

it('keeps a deny rule that takes something away from its own container', () => {
  expect(merged(['allow c 1:* rw', 'deny c 1:3 w'], ['allow b 8:0 r'])).toEqual([
    'deny a *:* rwm',
    'allow c 1:* rw',
    'deny c 1:3 w',
    'allow b 8:0 r',
  ])
})

it('drops a deny rule that only repeats the deny-all', () => {
  expect(merged(['deny c 10:229 rwm', 'allow c 1:3 r'])).toEqual(['deny a *:* rwm', 'allow c 1:3 r'])
})

describe('a deny rule of one container against an allow rule of another', () => {
  const conflict = expect.objectContaining({
    code: 'ERR_VMCG_INVALID_SPEC',
    message: expect.stringMatching(
      /container "c1" denies .* "c2" allows|container "c2" denies .* "c1" allows/,
    ),
  })

  it.each([
    ['the same device', ['allow c 1:* rwm', 'deny c 1:3 rwm'], ['allow c 1:3 rwm']],
    ['some of the access', ['allow c 1:* rwm', 'deny c 1:3 w'], ['allow c 1:3 rw']],
    ['a wildcard of the allow', ['allow c 1:3 r', 'deny c 1:3 r'], ['allow c 1:* r']],
    ['a wildcard of the deny', ['allow c *:* r', 'deny c 1:* r'], ['allow c 1:3 r']],
    ['every device', ['allow b 8:0 m', 'deny b 8:0 m'], ['allow a *:* rwm']],
  ])('is refused, naming both: %s', (_, one, other) => {
    expect(() => merged(one, other)).toThrow(conflict)
    expect(() => merged(other, one)).toThrow(conflict)
  })

  it('is refused also where the list has no deny-all that the rule could repeat', () => {
    const containers = [
      { id: 'c1', spec: { linux: { resources: { devices: [rule('deny c 1:3 rwm')] } } } },
      { id: 'c2', spec: { linux: { resources: { devices: [DENY_ALL, rule('allow c 1:3 r')] } } } },
    ]
    expect(() => mergeResources(containers)).toThrow(conflict)
  })

  it.each([
    ['another device', ['allow c 1:* r', 'deny c 1:3 r'], ['allow c 1:5 r']],
    ['another type', ['allow c 1:* r', 'deny c 1:3 r'], ['allow b 1:3 r']],
    ['another access', ['allow c 1:* rw', 'deny c 1:3 w'], ['allow c 1:3 r']],
    ['an access that its own container never had', ['allow c 1:3 r', 'deny c 1:3 rw'], ['allow c 1:3 w']],
    [
      'a deny that its own container takes back',
      ['allow c 1:* r', 'deny c 1:3 r', 'allow c 1:3 r'],
      ['allow c 1:3 r'],
    ],
    ['an allow that the other takes back itself', ['deny c 1:3 r'], ['allow c 1:3 r', 'deny c 1:3 rwm']],
    ['a deny-all', [], ['allow c 1:3 r']],
  ])('is fine with %s', (_, one, other) => {
    expect(() => merged(one, other)).not.toThrow()
    expect(() => merged(other, one)).not.toThrow()
  })
})

describe('a deny rule that only repeats its own deny-all', () => {
  it('takes nothing from another container that allows the device', () => {
    const fuse = ['allow c 1:3 rwm', 'deny c 10:229 rwm']
    const expected = ['deny a *:* rwm', 'allow c 10:229 rwm', 'allow c 1:3 rwm']
    expect(merged(['allow c 10:229 rwm'], fuse)).toEqual(expected)
    expect(merged(fuse, ['allow c 10:229 rwm']).toSorted()).toEqual(expected.toSorted())
  })

  it('is cut down to what it takes from its own container', () => {
    expect(merged(['allow c 1:3 w'], ['allow c 1:3 r', 'deny c 1:3 rw'])).toEqual([
      'deny a *:* rwm',
      'allow c 1:3 w',
      'allow c 1:3 r',
      'deny c 1:3 r',
    ])
  })
})

it('decides every access as some container’s own list does', () => {
  const anyRule = fc
    .record({
      verdict: fc.constantFrom('allow', 'deny'),
      type: fc.constantFrom('a', 'b', 'c'),
      major: fc.constantFrom('*', '1', '2'),
      minor: fc.constantFrom('*', '3', '4'),
      access: fc.constantFrom('r', 'w', 'rw', 'rwm'),
    })
    .map(({ verdict, type, major, minor, access }) => `${verdict} ${type} ${major}:${minor} ${access}`)
  const lists = fc.array(fc.array(anyRule, { maxLength: 5 }), { minLength: 1, maxLength: 3 })
  const probes = ['b', 'c'].flatMap((type) =>
    ['1:3', '1:4', '2:3', '2:9'].flatMap((device) =>
      ['r', 'w', 'm'].map((access) => `allow ${type} ${device} ${access}`),
    ),
  )
  const decides = (list: readonly string[], probe: string): boolean => {
    const rules = list.map((text) => deviceRule(rule(text)))
    return rules.findLast((each) => overlaps(each, deviceRule(rule(probe))))?.allow ?? false
  }
  forAll(lists, (all) => {
    let result: string[]
    try {
      result = merged(...all)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_VMCG_INVALID_SPEC' })
      return
    }
    for (const probe of probes) {
      expect([probe, decides(result, probe)]).toEqual([probe, all.some((list) => decides(list, probe))])
    }
  })
})
