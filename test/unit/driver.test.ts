import { checkDriver, sandboxPlace, systemdPlace } from '../../src/driver'
import { hostFrom } from '../../src/host/detect'
import { managedPlace } from '../../src/manager-path'

const onSystemd = () => true
const elsewhere = () => false
const NO_HOST = hostFrom({ mountinfo: '', procCgroup: '', release: '6.1.0' })
/** Where the units of whoever runs this are. */
const uid = process.geteuid?.() ?? 0
const ROOT = uid === 0 ? '' : `/user.slice/user-${uid}.slice/user@${uid}.service`

describe('the place of a sandbox', () => {
  test('is made by vmcg where its parent is a cgroup', () => {
    expect(sandboxPlace({ id: 'vm1' }, onSystemd)).toEqual({
      driver: 'cgroupfs',
      parent: '/kata',
      id: 'vm1',
      scope: null,
    })
  })

  test('is a scope where its parent is a slice', () => {
    expect(sandboxPlace({ id: 'vm1', parent: 'machine.slice' }, onSystemd)).toEqual({
      driver: 'systemd',
      parent: 'machine.slice:vmcg',
      id: 'vm1',
      scope: {
        slice: 'machine.slice',
        unit: 'vmcg-vm1.scope',
        description: 'vmcg sandbox vm1',
        path: `${ROOT}/machine.slice/vmcg-vm1.scope`,
        hierarchies: [],
        invocationId: null,
      },
    })
  })

  test('has a unit that is named as asked', () => {
    const { scope } = sandboxPlace({ id: 'vm1', parent: 'a-b.slice:pod' }, onSystemd)
    expect(scope).toMatchObject({ unit: 'pod-vm1.scope', path: `${ROOT}/a.slice/a-b.slice/pod-vm1.scope` })
  })

  test('is in a slice of systemd where nothing but the driver is said', () => {
    const slice = uid === 0 ? 'system.slice' : 'app.slice'
    expect(sandboxPlace({ id: 'vm1', driver: 'systemd' }, onSystemd).scope).toMatchObject({ slice })
  })

  test.each([
    ['a cgroup for systemd', { parent: '/kata', driver: 'systemd' }, 'machine.slice'],
    ['a slice for cgroupfs', { parent: 'machine.slice', driver: 'cgroupfs' }, '/kata'],
    ['a slice with a path in it', { parent: 'a/b.slice' }, '/kata'],
    ['a slice that systemd would put elsewhere', { parent: 'a--b.slice' }, 'slice:prefix:name'],
  ] as const)('is not %s', (_what, options, hint) => {
    expect(() => sandboxPlace({ id: 'vm1', ...options }, onSystemd)).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_INVALID_PATH', hint: expect.stringContaining(hint) }),
    )
  })

  test('is no scope where systemd does not run the host, and the error says what to use', () => {
    expect(() => sandboxPlace({ id: 'vm1', parent: 'machine.slice' }, elsewhere)).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_SYSTEMD_MISSING',
        value: 'machine.slice:vmcg:vm1',
        hint: expect.stringContaining('/kata'),
      }),
    )
  })

  test('is no slice by itself, since that holds no processes', () => {
    expect(() => systemdPlace('a.slice:x:a-b.slice', 'a slice', onSystemd)).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_UNSUPPORTED', hint: expect.stringContaining('a-b.slice:') }),
    )
  })
})

test('there are three drivers', () => {
  expect(checkDriver(undefined)).toBe('auto')
  for (const driver of ['auto', 'systemd', 'cgroupfs'] as const) expect(checkDriver(driver)).toBe(driver)
  for (const driver of ['crun', '', null, 1])
    expect(() => checkDriver(driver)).toThrow(expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }))
})

describe('the place of a manager', () => {
  test('is made by vmcg where the path is one', () => {
    expect(managedPlace({ cgroupsPath: '/pods/vm' }, NO_HOST)).toEqual({
      path: '/pods/kata_vm',
      takenOver: [],
    })
  })

  test.each<unknown>([Symbol('path'), 7, { toString: null }])(
    'is not by what is no text, such as %p',
    (given) => {
      expect(() =>
        managedPlace(
          Object.assign({ driver: 'systemd' as const }, { cgroupsPath: given as string }),
          NO_HOST,
        ),
      ).toThrow(expect.objectContaining({ code: 'ERR_VMCG_INVALID_PATH' }))
    },
  )

  test('is not by a systemd path for the other driver, nor by another path for systemd', () => {
    for (const config of [
      { cgroupsPath: 'system.slice:vmcg:vm', driver: 'cgroupfs' },
      { cgroupsPath: '/pods/vm', driver: 'systemd' },
    ] as const) {
      expect(() => managedPlace(config, NO_HOST)).toThrow(
        expect.objectContaining({ code: 'ERR_VMCG_INVALID_PATH', value: config.cgroupsPath }),
      )
    }
  })
})
