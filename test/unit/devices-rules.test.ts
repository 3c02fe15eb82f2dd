import { DEFAULT_DEVICES } from '../../src/model/devices/default-devices'
import { removalConflict } from '../../src/model/devices/device-removal'
import { deviceRules } from '../../src/model/devices/device-rules'
import { deviceState } from '../../src/model/devices/device-state'
import type { LinuxDeviceCgroup } from '../../src/model/generated/oci'
import { linesOf, ociRule, rule, rules, ruleText } from '../support/device-rules'

const DEFAULTS = [
  'allow c *:* m',
  'allow b *:* m',
  'allow c 1:3 rwm',
  'allow c 1:8 rwm',
  'allow c 1:7 rwm',
  'allow c 5:0 rwm',
  'allow c 1:5 rwm',
  'allow c 1:9 rwm',
  'allow c 136:* rwm',
  'allow c 5:2 rwm',
  'allow c 10:200 rwm',
]

function combined(containers: string[], hypervisor: string[] = [], extra?: string[]): string[] {
  return deviceRules({
    containers: containers.map(ociRule),
    hypervisor: hypervisor.map(ociRule),
    extra: extra?.map(ociRule),
  }).map(ruleText)
}

describe('the rules of a VM’s cgroup', () => {
  it('are a deny-all, the containers’, the hypervisor’s, the added ones and the defaults', () => {
    expect(
      combined(['deny a *:* rwm', 'allow b 8:0 r'], ['allow c 10:232 rwm'], ['allow b 8:16 rw']),
    ).toEqual(['deny a *:* rwm', 'allow b 8:0 r', 'allow c 10:232 rwm', 'allow b 8:16 rw', ...DEFAULTS])
  })

  it('begin with a deny-all also where no container has rules', () => {
    expect(combined([])).toEqual(['deny a *:* rwm', ...DEFAULTS])
    expect(DEFAULT_DEVICES).toHaveLength(DEFAULTS.length)
  })

  it('leave out a deny that only repeats the deny-all, as in Docker’s own list', () => {
    expect(combined(['deny a *:* rwm', 'allow c 5:1 rwm', 'deny c 10:229 rwm'])).toEqual([
      'deny a *:* rwm',
      'allow c 5:1 rwm',
      ...DEFAULTS,
    ])
  })

  it('leave out what comes before the last deny-all', () => {
    expect(combined(['allow c 1:3 r', 'deny a *:* rwm', 'allow b 8:0 r'])).toEqual([
      'deny a *:* rwm',
      'allow b 8:0 r',
      ...DEFAULTS,
    ])
  })

  it('let the defaults win over a container’s deny', () => {
    const list = deviceRules({
      containers: [ociRule('allow c 1:* m'), ociRule('deny c 1:3 m')],
      hypervisor: [],
    })
    expect(linesOf(deviceState(list))).toEqual(expect.arrayContaining(['c *:* m', 'c 1:* m', 'c 1:3 rwm']))
  })

  it('are refused with a hole in a wildcard, naming both rules', () => {
    expect(() => combined(['allow b 8:* rw', 'deny b 8:16 w'])).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_UNSUPPORTED',
        message: expect.stringMatching(/"deny b 8:16 w".*"allow b 8:\* rw"/),
      }),
    )
  })
})

describe('a rule of an OCI config', () => {
  it.each<[string, LinuxDeviceCgroup, string]>([
    ['-1 is every number', { allow: true, type: 'c', major: -1, minor: -1, access: 'r' }, 'allow c *:* r'],
    ['absent is every number', { allow: true, type: 'c', access: 'r' }, 'allow c *:* r'],
    ['a minor number for every major', { allow: true, type: 'c', minor: 3, access: 'r' }, 'allow c *:3 r'],
    ['no type is both', { allow: true, major: 8, minor: 0, access: 'r' }, 'allow a 8:0 r'],
    ['no access is all', { allow: true, type: 'b', major: 8, minor: 0 }, 'allow b 8:0 rwm'],
    [
      'the letters in any order',
      { allow: true, type: 'b', major: 8, minor: 0, access: 'mr' },
      'allow b 8:0 rm',
    ],
    [
      'the greatest numbers',
      { allow: true, type: 'b', major: 4294967294, minor: 0, access: 'r' },
      'allow b 4294967294:0 r',
    ],
  ])('is read: %s', (_, config, expected) => {
    const [, first] = deviceRules({ containers: [config], hypervisor: [] })
    expect(first && ruleText(first)).toBe(expected)
  })

  it.each<[string, object, string, string, string]>([
    ['type u', { type: 'u' }, 'type', 'u', 'ERR_VMCG_INVALID_ARGUMENT'],
    ['type p', { type: 'p' }, 'type', 'p', 'ERR_VMCG_INVALID_ARGUMENT'],
    ['an empty type', { type: '' }, 'type', '', 'ERR_VMCG_INVALID_ARGUMENT'],
    ['an empty access', { access: '' }, 'access', '', 'ERR_VMCG_INVALID_ARGUMENT'],
    ['another letter', { access: 'rx' }, 'access', 'rx', 'ERR_VMCG_INVALID_ARGUMENT'],
    ['a letter twice', { access: 'rwr' }, 'access', 'rwr', 'ERR_VMCG_INVALID_ARGUMENT'],
    ['a newline', { access: 'r\n' }, 'access', 'r\n', 'ERR_VMCG_INVALID_ARGUMENT'],
    ['an access of another type', { access: 3 }, 'access', '3', 'ERR_VMCG_INVALID_ARGUMENT'],
    ['a major of -2', { major: -2 }, 'major', '-2', 'ERR_VMCG_OUT_OF_RANGE'],
    ['a fraction', { minor: 1.5 }, 'minor', '1.5', 'ERR_VMCG_OUT_OF_RANGE'],
    ['a number as text', { minor: '3' }, 'minor', '3', 'ERR_VMCG_OUT_OF_RANGE'],
    [
      'what the kernel takes for every number',
      { major: 4294967295 },
      'major',
      '4294967295',
      'ERR_VMCG_OUT_OF_RANGE',
    ],
    ['a number beyond 32 bits', { minor: 4294967296 }, 'minor', '4294967296', 'ERR_VMCG_OUT_OF_RANGE'],
    ['no verdict', { allow: undefined }, 'allow', 'undefined', 'ERR_VMCG_INVALID_ARGUMENT'],
  ])('is refused with %s, naming the field', (_, wrong, field, value, code) => {
    const valid: LinuxDeviceCgroup = { allow: true, type: 'c', major: 1, minor: 3, access: 'r' }
    const config = Object.assign({ ...valid }, wrong)
    expect(() => deviceRules({ containers: [valid, config], hypervisor: [] })).toThrow(
      expect.objectContaining({
        code,
        value,
        message: expect.stringContaining(`linux.resources.devices[1].${field} `),
      }),
    )
  })

  it('is named by where it came from', () => {
    const wrong = { allow: true, access: '' }
    expect(() => deviceRules({ containers: [], hypervisor: [wrong] })).toThrow(
      'hypervisor devices[0].access ""',
    )
    expect(() => deviceRules({ containers: [], hypervisor: [], extra: [wrong] })).toThrow(
      'added devices[0].access ""',
    )
  })
})

describe('removing a device', () => {
  it.each([
    ['the same device', 'b 8:0 rwm', 'allow b 8:0 r'],
    ['a wildcard around it', 'b 8:0 rwm', 'allow b 8:* rw'],
    ['every device', 'b 8:0 r', 'allow a *:* rwm'],
    ['a part of it', 'b 8:* rw', 'allow b 8:0 w'],
    ['nodes, when it was about nodes', 'b 8:0 m', 'allow b *:* m'],
  ])('is in conflict with a rule that still allows %s', (_, removed, other) => {
    const conflict = removalConflict(
      rule(`allow ${removed}`),
      rules('allow c 1:3 rwm', other, 'allow c 1:5 r'),
    )
    expect(conflict && ruleText(conflict)).toBe(other)
  })

  it.each([
    ['another device', 'b 8:0 rwm', ['allow b 8:1 rwm']],
    ['another type', 'b 8:0 rwm', ['allow c 8:0 rwm']],
    ['nodes only', 'b 8:0 rwm', DEFAULTS],
    ['another access', 'b 8:0 r', ['allow b 8:0 w']],
    ['it until it is denied', 'b 8:0 rwm', ['allow b 8:* rwm', 'deny b 8:* rwm']],
  ])('is fine with rules that allow %s', (_, removed, others) => {
    expect(removalConflict(rule(`allow ${removed}`), rules(...others))).toBeUndefined()
  })
})
