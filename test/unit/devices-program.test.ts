import * as fc from 'fast-check'
import { isVmcgError } from '../../src/errors'
import type { DeviceRule } from '../../src/model/device-rule'
import type { DeviceAccess } from '../../src/model/devices/device-access'
import { deviceProgram } from '../../src/model/devices/device-program'
import { deviceRules } from '../../src/model/devices/device-rules'
import { deviceState } from '../../src/model/devices/device-state'
import { runDeviceProgram } from '../support/bpf-interpreter'
import {
  accessOf,
  anyAccess,
  anyRule,
  type DeviceRequest,
  isGranted,
  ociRule,
  REQUESTS,
  rules,
} from '../support/device-rules'
import { forAll } from '../support/for-all'

const nameOf = (...lines: string[]) => deviceProgram(accessOf(...lines)).name

function grants(access: DeviceAccess, request: DeviceRequest): boolean {
  return runDeviceProgram(deviceProgram(access).instructions, request) === 1
}

function expectAsV1(access: DeviceAccess): void {
  const { instructions } = deviceProgram(access)
  for (const request of REQUESTS) {
    expect(runDeviceProgram(instructions, request)).toBe(isGranted(access, request) ? 1 : 0)
  }
}

/** undefined: a list that v1 cannot express. */
function stateOf(list: readonly DeviceRule[]): DeviceAccess | undefined {
  try {
    return deviceState(list)
  } catch (error) {
    if (isVmcgError(error) && error.code === 'ERR_VMCG_UNSUPPORTED') return undefined
    throw error
  }
}

describe('a device program', () => {
  it('decides as the v1 device controller does, for any access', () => {
    forAll(anyAccess, expectAsV1)
  })

  it('decides as the v1 device controller does, for any list of rules that this one takes', () => {
    let taken = 0
    forAll(fc.array(anyRule, { maxLength: 8 }), (list) => {
      const access = stateOf(list)
      if (access === undefined) return
      taken += 1
      expectAsV1(access)
    })
    expect(taken).toBeGreaterThan(10)
  })

  it('decides about every number that a rule can name', () => {
    const number = fc.integer({ min: 0, max: 2 ** 32 - 2 })
    forAll(fc.tuple(number, number, number, number), ([major, minor, otherMajor, otherMinor]) => {
      const access = accessOf(`c ${major}:${minor} r`)
      const read = { type: 'c', access: ['r'] } as const
      expect(grants(access, { ...read, major, minor })).toBe(true)
      expect(grants(access, { ...read, major: otherMajor, minor })).toBe(otherMajor === major)
      expect(grants(access, { ...read, major, minor: otherMinor })).toBe(otherMinor === minor)
    })
  })

  it('wants both accesses of one rule', () => {
    const access = accessOf('c 1:* r', 'c 1:5 w')
    const zero = { type: 'c', major: 1, minor: 5 } as const
    expect(grants(access, { ...zero, access: ['r'] })).toBe(true)
    expect(grants(access, { ...zero, access: ['w'] })).toBe(true)
    expect(grants(access, { ...zero, access: ['r', 'w'] })).toBe(false)
  })

  it('tells making a node from opening it', () => {
    const access = accessOf('c *:* m')
    const kvm = { type: 'c', major: 10, minor: 232 } as const
    expect(grants(access, { ...kvm, access: ['m'] })).toBe(true)
    expect(grants(access, { ...kvm, access: ['r'] })).toBe(false)
    expect(grants(access, { ...kvm, type: 'b', access: ['m'] })).toBe(false)
  })

  it('allows everything, or nothing, where the access does', () => {
    for (const request of REQUESTS) {
      expect(grants({ byDefault: 'allow' }, request)).toBe(true)
      expect(grants({ byDefault: 'deny', exceptions: [] }, request)).toBe(false)
    }
  })

  it('takes the rules of a VM, with the defaults after them', () => {
    const containers = ['deny a *:* rwm', 'allow c 5:1 rwm'].map(ociRule)
    const hypervisor = [ociRule('allow c 10:232 rwm')]
    const kvm = { type: 'c', major: 10, minor: 232, access: ['r', 'w'] } as const
    const access = deviceState(deviceRules({ containers, hypervisor }))
    expect(grants(access, kvm)).toBe(true)
    expect(grants(access, { ...kvm, minor: 233 })).toBe(false)
  })

  it('is refused for so many devices that its jumps would not reach', () => {
    const lines = (count: number) => Array.from({ length: count }, (_, minor) => `c 1:${minor} r`)
    expect(deviceProgram(accessOf(...lines(6000))).instructions.length).toBeGreaterThan(60_000)
    expect(() => deviceProgram(accessOf(...lines(7000)))).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_UNSUPPORTED' }),
    )
  })

  it('is refused for a deny in the middle of a wildcard, as on v1', () => {
    expect(() => deviceProgram(deviceState(rules('allow c 1:* rw', 'deny c 1:3 w')))).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_UNSUPPORTED' }),
    )
  })
})

describe('the name of a device program', () => {
  it('fits into what the kernel keeps of one', () => {
    forAll(anyAccess, (access) => {
      expect(deviceProgram(access).name).toMatch(/^vmcg_[0-9a-f]{10}$/)
    })
  })

  it('is the same on every host for the same access', () => {
    expect(nameOf()).toBe('vmcg_92d34368c9')
    expect(nameOf('c 1:3 rwm', 'b 8:* r')).toBe('vmcg_36e89d131c')
  })

  it('does not depend on the order of the rules', () => {
    forAll(anyAccess, (access) => {
      if (access.byDefault === 'allow') return
      const reversed: DeviceAccess = { ...access, exceptions: access.exceptions.toReversed() }
      expect(deviceProgram(reversed)).toEqual(deviceProgram(access))
    })
  })

  it('does not depend on rules that another one covers', () => {
    expect(nameOf('c 1:* rwm', 'c 1:3 r')).toBe(nameOf('c 1:* rwm'))
    expect(nameOf('c 1:* r', 'c 1:3 rw')).not.toBe(nameOf('c 1:* r'))
  })

  it('is another one for every other access', () => {
    const names = [
      nameOf(),
      nameOf('a *:* rwm'),
      nameOf('c 1:3 r'),
      nameOf('b 1:3 r'),
      nameOf('c 1:3 w'),
      nameOf('c 1:4 r'),
      nameOf('c 3:1 r'),
      nameOf('c 1:* r'),
      nameOf('c *:3 r'),
    ]
    expect(new Set(names).size).toBe(names.length)
  })
})
