import * as fc from 'fast-check'
import { isVmcgError } from '../../src/errors'
import { overlaps } from '../../src/model/device-rule'
import { formatDevicesList, parseDevicesList } from '../../src/model/devices/device-access'
import { deviceState } from '../../src/model/devices/device-state'
import { anyAccess, anyRule, isGranted, linesOf, REQUESTS, rules } from '../support/device-rules'
import { forAll } from '../support/for-all'

function stateOf(...texts: string[]): string[] {
  return linesOf(deviceState(rules(...texts)))
}

describe('devices.list', () => {
  it('is read as the kernel writes it', () => {
    expect(parseDevicesList('a *:* rwm\n')).toEqual({ byDefault: 'allow' })
    expect(parseDevicesList('')).toEqual({ byDefault: 'deny', exceptions: [] })
    expect(parseDevicesList('c *:* m\nb 8:* wm\nc 10:232 rwm\n')).toEqual({
      byDefault: 'deny',
      exceptions: [
        { type: 'c', major: undefined, minor: undefined, access: ['m'] },
        { type: 'b', major: 8, minor: undefined, access: ['w', 'm'] },
        { type: 'c', major: 10, minor: 232, access: ['r', 'w', 'm'] },
      ],
    })
  })

  it('comes out of what was read as it was', () => {
    forAll(anyAccess, (access) => {
      expect(parseDevicesList(formatDevicesList(access))).toEqual(access)
    })
  })

  it.each(['d 1:3 r', 'c 1:3', 'c 1:3 ', 'c -1:3 r', 'c 1:3 x', 'c 1 r', 'a 1:3 r', 'c 1:3 wr'])(
    'is refused with the line %j, which no kernel writes',
    (line) => {
      expect(() => parseDevicesList(`c 1:5 r\n${line}\n`)).toThrow(
        expect.objectContaining({ code: 'ERR_VMCG_UNSUPPORTED', value: line }),
      )
    },
  )
})

describe('a list of rules', () => {
  it.each<[string, string[], string[]]>([
    ['allows nothing without an allow rule', ['deny a *:* rwm'], []],
    ['allows what is listed', ['deny a *:* rwm', 'allow c 1:3 rwm'], ['c 1:3 rwm']],
    ['adds up the accesses to one device', ['allow c 1:3 r', 'allow c 1:3 w'], ['c 1:3 rw']],
    ['takes a for character and block devices', ['allow a 1:3 r'], ['b 1:3 r', 'c 1:3 r']],
    ['takes everything for everything', ['allow a *:* rwm'], ['a *:* rwm']],
    ['takes every type for everything', ['allow b *:* rwm', 'allow c *:* rwm'], ['a *:* rwm']],
    [
      'forgets what comes before a deny-all',
      ['allow c 1:3 r', 'deny a *:* rwm', 'allow c 1:5 r'],
      ['c 1:5 r'],
    ],
    ['denies a device again', ['allow c 1:3 rwm', 'allow c 1:5 r', 'deny c 1:3 rwm'], ['c 1:5 r']],
    ['denies one access', ['allow c 1:3 rwm', 'deny c 1:3 w'], ['c 1:3 rm']],
    ['denies by a wildcard', ['allow c 1:3 rwm', 'allow c 1:5 w', 'deny c 1:* w'], ['c 1:3 rm']],
    ['denies one access to everything', ['allow a *:* rwm', 'deny a *:* m'], ['b *:* rw', 'c *:* rw']],
    ['denies a type', ['allow a *:* rwm', 'deny b *:* rwm'], ['c *:* rwm']],
    [
      'keeps rules that cover each other apart',
      ['allow c 10:232 rwm', 'allow c *:* m'],
      ['c *:* m', 'c 10:232 rwm'],
    ],
    ['denies what is denied already', ['allow c 1:3 r', 'deny c 10:229 rwm'], ['c 1:3 r']],
    ['denies another access than a wildcard’s', ['allow c *:* m', 'deny c 1:3 rw'], ['c *:* m']],
    ['fills a hole', ['allow c 1:* rw', 'deny c 1:3 w', 'allow c 1:3 w'], ['c 1:* rw', 'c 1:3 w']],
    [
      'fills a hole by a wildcard',
      ['allow c 1:* m', 'deny c 1:3 m', 'allow c *:* m'],
      ['c *:* m', 'c 1:* m'],
    ],
    ['denies the wildcard around a hole', ['allow c 1:* w', 'deny c 1:3 w', 'deny c *:* w'], []],
  ])('%s', (_, texts, expected) => {
    expect(stateOf(...texts)).toEqual(expected)
  })

  it.each<[string, string[], string, string]>([
    ['a number', ['allow c 1:* rw', 'deny c 1:3 w'], 'deny c 1:3 w', 'allow c 1:* rw'],
    ['everything', ['allow a *:* rwm', 'deny c 1:3 r'], 'deny c 1:3 r', 'allow a *:* rwm'],
    ['a major number', ['allow b *:* r', 'deny b 8:* r'], 'deny b 8:* r', 'allow b *:* r'],
    ['crossing wildcards', ['allow c 1:* r', 'deny c *:3 r'], 'deny c *:3 r', 'allow c 1:* r'],
    [
      'a hole that is filled in part',
      ['allow c 1:* rw', 'deny c 1:3 rw', 'allow c 1:3 r'],
      'deny c 1:3 rw',
      'allow c 1:* rw',
    ],
    [
      'a device that has a rule of its own as well',
      ['allow c 1:* r', 'allow c 1:3 w', 'deny c 1:3 rw'],
      'deny c 1:3 rw',
      'allow c 1:* r',
    ],
  ])('is refused with a hole in a wildcard, naming both rules: %s', (_, texts, denied, allowed) => {
    expect(() => stateOf(...texts)).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_UNSUPPORTED',
        message: expect.stringMatching(new RegExp(`"${escaped(denied)}".*"${escaped(allowed)}"`)),
        value: denied.replace('deny ', ''),
      }),
    )
  })

  it('decides as its last rule about a device, or is refused', () => {
    const isSingle = (request: { access: readonly string[] }) => request.access.length === 1
    forAll(fc.array(anyRule, { maxLength: 8 }), (list) => {
      try {
        const state = deviceState(list)
        for (const request of REQUESTS.filter(isSingle)) {
          const decided = list.findLast((each) => overlaps(each, request))?.allow ?? false
          expect([request, isGranted(state, request)]).toEqual([request, decided])
        }
      } catch (error) {
        if (!isVmcgError(error)) throw error
        expect(error.code).toBe('ERR_VMCG_UNSUPPORTED')
      }
    })
  })
})

function escaped(text: string): string {
  return text.replaceAll('*', '\\*')
}
