import { mkdtempSync, rmSync, symlinkSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import type { CgroupManager } from '../../src/manager'
import { Resident } from '../support/device-cgroup'
import { ManagerBench } from '../support/manager-bench'
import { operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'

// Of the kernel itself, so that every host has them; opening them does nothing.
const KMSG = { path: '/dev/kmsg', rule: { allow: true, type: 'c', major: 1, minor: 11, access: 'rwm' } }
const TTY0 = { path: '/dev/tty0', rule: { allow: true, type: 'c', major: 4, minor: 0, access: 'rwm' } }
const CONTAINER = [{ allow: false, access: 'rwm' }]

let bench: ManagerBench
let manager: CgroupManager
let resident: Resident

beforeEach(async () => {
  bench = new ManagerBench()
  manager = await bench.begun()
})
afterEach(() => bench.clear())

const IS_V1 = detectHost().controller('devices') !== undefined

/** Whether a process that is started inside of it may open a device for reading and writing. */
const mayOpen = ({ path }: { readonly path: string }) => bench.mayOpen(path)

async function enter(): Promise<void> {
  resident = await Resident.in({ path: bench.directory('devices') })
  bench.atEnd(() => resident.leave())
}

/** How the rules were changed meanwhile: each as `allow c 1:11 rwm`, or as a program that takes the place of the last. */
async function changesDuring(act: () => Promise<unknown>): Promise<string[]> {
  const done = await operationsDuring(act)
  return done.flatMap(({ operation }) => {
    if (operation.kind === 'device-program') return ['program']
    return operation.kind === 'write-knob' && operation.knob.startsWith('devices.')
      ? [`${operation.knob.slice('devices.'.length)} ${operation.value}`]
      : []
  })
}

const oneChange = (rule: string) => [IS_V1 ? rule : 'program']

const EPERM = 'EPERM'

describeWith(['root', 'cgroups', 'devices'], 'a process in a managed cgroup', () => {
  test('opens what the rules allow and nothing else, and makes any node', async () => {
    await manager.apply({ devices: [...CONTAINER, { ...KMSG.rule, access: 'r' }] })
    await enter()
    expect(await resident.tries('read', KMSG.path)).toBe('ok')
    expect(await resident.tries('write', KMSG.path)).toBe(EPERM)
    expect(await resident.tries('read', '/dev/null')).toBe('ok')
    expect(await resident.tries('both', TTY0.path)).toBe(EPERM)
    const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-node-'))
    bench.atEnd(() => rmSync(folder, { recursive: true }))
    expect(await resident.tries('node', join(folder, 'zero'))).toBe('ok')
  })

  test('opens everything while no rules were given', async () => {
    await manager.apply({ pids: { limit: 100 } })
    await enter()
    expect(await changesDuring(() => manager.addDevice(KMSG.path))).toEqual([])
    for (const { path } of [KMSG, TTY0]) expect(await resident.tries('both', path)).toBe('ok')
  })

  test('opens a device once it is added and no more once it is removed; what is open stays open', async () => {
    await manager.apply({ devices: CONTAINER })
    await enter()
    expect(await resident.tries('both', KMSG.path)).toBe(EPERM)
    expect(await changesDuring(() => manager.addDevice(KMSG.path))).toEqual(oneChange('allow c 1:11 rwm'))
    expect(await resident.tries('keep', KMSG.path)).toBe('ok')
    expect(await changesDuring(() => manager.removeDevice(KMSG.path))).toEqual(oneChange('deny c 1:11 rwm'))
    expect(await resident.tries('both', KMSG.path)).toBe(EPERM)
    expect(await resident.tries('read', '/dev/null')).toBe('ok')
  })

  test('opens what was allowed before and is still, at each change of the rules: only differences are written', async () => {
    const [one, two] = [
      [...CONTAINER, KMSG.rule],
      [...CONTAINER, KMSG.rule, TTY0.rule],
    ]
    await manager.apply({ devices: one })
    await enter()
    expect(await changesDuring(() => manager.apply({ devices: two }))).toEqual(oneChange('allow c 4:0 rwm'))
    expect(await changesDuring(() => manager.apply({ devices: two }))).toEqual([])
    expect(await changesDuring(() => manager.apply({ devices: one }))).toEqual(oneChange('deny c 4:0 rwm'))
    const lifting = await changesDuring(() => manager.apply({}))
    if (IS_V1) expect(lifting.slice(0, 2).sort()).toEqual(['allow b *:* rw', 'allow c *:* rw'])
    for (const { path } of [KMSG, TTY0]) expect(await resident.tries('both', path)).toBe('ok')
    const again = await changesDuring(() => manager.apply({ devices: one }))
    for (const write of [...lifting, ...again]) expect(write).not.toMatch(/^(allow|deny) a\b/)
    expect(await resident.tries('both', TTY0.path)).toBe(EPERM)
    expect(await resident.tries('both', KMSG.path)).toBe('ok')
  })
})

describeWith(['root', 'cgroups', 'devices'], 'a device', () => {
  test('is counted per owner: it stays until everyone who added it has removed it', async () => {
    await manager.apply({ devices: CONTAINER })
    await manager.addDevice(KMSG.path, { owner: 'c1' })
    await manager.addDevice(KMSG.path, { owner: 'c1' })
    await manager.addDevice(KMSG.path, { owner: 'c2' })
    await manager.removeDevice(KMSG.path, { owner: 'c1' })
    expect(await mayOpen(KMSG)).toBe(true)
    await expect(manager.removeDevice(KMSG.path, { owner: 'c1' })).rejects.toMatchObject({
      code: 'ERR_VMCG_INVALID_ARGUMENT',
    })
    await manager.removeDevice(KMSG.path, { owner: 'c2' })
    expect(await mayOpen(KMSG)).toBe(false)
  })

  test('is kept by another object and process, which may remove it', async () => {
    await manager.apply({ devices: CONTAINER })
    await manager.addDevice(KMSG.path)
    const other = await bench.manager({ resources: { devices: CONTAINER } })
    expect(await operationsDuring(() => other.apply())).toEqual([])
    await other.removeDevice(KMSG.path)
    await manager.apply()
    expect(await mayOpen(KMSG)).toBe(false)
  })

  test('can be removed when it has been unplugged meanwhile, and when another one has its path', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-node-'))
    bench.atEnd(() => rmSync(folder, { recursive: true }))
    await manager.apply({ devices: CONTAINER })
    for (const name of ['gone', 'other']) {
      const path = join(folder, name)
      symlinkSync(KMSG.path, path)
      await manager.addDevice(path)
      expect(await mayOpen(KMSG)).toBe(true)
      unlinkSync(path)
      if (name === 'other') symlinkSync(TTY0.path, path)
      await manager.removeDevice(path)
      expect(await mayOpen(KMSG)).toBe(false)
    }
  })

  test('is not removed while a rule of the resources allows it, and that rule is named', async () => {
    await manager.apply({ devices: [...CONTAINER, { ...KMSG.rule, access: 'r' }] })
    await manager.addDevice(KMSG.path)
    const done = await operationsDuring(() =>
      expect(manager.removeDevice(KMSG.path)).rejects.toMatchObject({
        code: 'ERR_VMCG_DEVICE_IN_USE',
        message: expect.stringContaining('c 1:11 r'),
        path: KMSG.path,
        hint: expect.stringContaining('resources.devices'),
      }),
    )
    expect(done).toEqual([])
    expect(await mayOpen(KMSG)).toBe(true)
    await manager.apply({ devices: CONTAINER })
    await manager.removeDevice(KMSG.path)
    expect(await mayOpen(KMSG)).toBe(false)
  })

  test.each([
    ['a default', '/dev/null', {}, 'no cgroup with device rules is without'],
    ['the hypervisor', TTY0.path, { hypervisorDevices: { paths: [TTY0.path] } }, 'hypervisorDevices'],
  ])('is not removed while %s allows it, and the hint says so', async (_, path, config, hint) => {
    const other = await bench.begun({ ...config, cgroupsPath: bench.cgroupsPath('other') })
    await other.apply({ devices: CONTAINER })
    await other.addDevice(path)
    await expect(other.removeDevice(path)).rejects.toMatchObject({
      code: 'ERR_VMCG_DEVICE_IN_USE',
      hint: expect.stringContaining(hint),
    })
    await other.destroy()
  })

  test('is found through a link, with the access that is asked for', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-link-'))
    bench.atEnd(() => rmSync(folder, { recursive: true }))
    const link = join(folder, 'link')
    symlinkSync(KMSG.path, link)
    await manager.apply({ devices: CONTAINER })
    await manager.addDevice(link, { access: 'r' })
    expect(await bench.mayOpen(KMSG.path, 'read')).toBe(true)
    expect(await bench.mayOpen(KMSG.path, 'write')).toBe(false)
  })

  test.each([
    ['a directory', '/dev', 'ERR_VMCG_INVALID_ARGUMENT', {}],
    ['a file', '/proc/self/stat', 'ERR_VMCG_INVALID_ARGUMENT', {}],
    ['nothing', '/dev/vmcg-not-there', 'ENOENT', {}],
    ['a relative path', 'dev/kmsg', 'ERR_VMCG_INVALID_ARGUMENT', {}],
    ['an access that does not exist', KMSG.path, 'ERR_VMCG_INVALID_ARGUMENT', { access: 'x' }],
  ])('is not %s', async (_, path, code, options) => {
    await manager.apply({ devices: CONTAINER })
    const done = await operationsDuring(async () => {
      await expect(manager.addDevice(path, options)).rejects.toMatchObject({ code })
      await expect(manager.removeDevice(path, options)).rejects.toMatchObject({ code })
    })
    expect(done).toEqual([])
    expect(await mayOpen(KMSG)).toBe(false)
  })
})

/** What the kernel says of the rules, where they are a controller's. */
const list = () => bench.read('devices', 'devices.list').split('\n').sort()

// The kernel lets no parent deny all any more that has children: a unit has one.
describeWith(['root', 'cgroup-v1', 'cgroupfs-driver', 'devices-v1'], 'on cgroup v1, a device', () => {
  test('that the parent denies is told as such and forgotten: later calls work', async () => {
    bench.prepareParent()
    bench.write('devices', 'devices.deny', 'a', bench.parent)
    for (const rule of ['c *:* m', 'b *:* m', 'c 1:* rwm', 'c 5:* rwm', 'c 136:* rwm', 'c 10:* rwm']) {
      bench.write('devices', 'devices.allow', rule, bench.parent)
    }
    await manager.apply({ devices: CONTAINER })
    const before = list()
    await expect(manager.addDevice(TTY0.path)).rejects.toMatchObject({
      code: 'EPERM',
      path: `${bench.directory('devices')}/devices.allow`,
      value: 'c 4:0 rwm',
      message: expect.stringContaining(`${bench.parent} above it`),
    })
    expect(list()).toEqual(before)
    expect(await operationsDuring(() => manager.apply())).toEqual([])
    await manager.addDevice(KMSG.path)
    expect(await mayOpen(KMSG)).toBe(true)
    await manager.apply({})
    expect(list()).toEqual(bench.read('devices', 'devices.list', bench.parent).split('\n').sort())
  })
})

describeWith(['root', 'cgroups', 'devices'], 'device rules', () => {
  test.each([
    [
      'a deny hole in a wildcard',
      [
        { allow: true, type: 'c', major: 1, access: 'rwm' },
        { ...KMSG.rule, allow: false },
      ],
      'ERR_VMCG_UNSUPPORTED',
    ],
    ['a type that does not exist', [{ allow: true, type: 'x', access: 'r' }], 'ERR_VMCG_INVALID_SPEC'],
    ['a letter that does not exist', [{ ...KMSG.rule, access: 'rx' }], 'ERR_VMCG_INVALID_SPEC'],
    ['a number beyond the greatest', [{ ...KMSG.rule, major: 2 ** 32 - 1 }], 'ERR_VMCG_OUT_OF_RANGE'],
  ])('with %s are refused before anything is written', async (_, rules, code) => {
    const devices = JSON.parse(JSON.stringify(rules))
    const wasThere = bench.exists('devices')
    const done = await operationsDuring(() =>
      expect(manager.apply({ pids: { limit: 5 }, devices })).rejects.toMatchObject({ code }),
    )
    expect(done).toEqual([])
    expect(bench.exists('devices')).toBe(wasThere)
  })

  test('keep the containers’ own, and allow what the hypervisor opens and what was asked for beside', async () => {
    const other = await bench.begun({
      cgroupsPath: bench.cgroupsPath('two'),
      hypervisorDevices: { paths: [TTY0.path] },
    })
    await other.apply({ devices: [...CONTAINER, { ...KMSG.rule, access: 'w' }] })
    const path = bench.path('two')
    expect(await bench.mayOpen(KMSG.path, 'write', path)).toBe(true)
    expect(await bench.mayOpen(KMSG.path, 'read', path)).toBe(false)
    for (const device of [TTY0.path, '/dev/null'])
      expect(await bench.mayOpen(device, 'both', path)).toBe(true)
  })

  test('take -1 for every number', async () => {
    await manager.apply({
      devices: [...CONTAINER, { allow: true, type: 'c', major: 4, minor: -1, access: 'r' }],
    })
    expect(await bench.mayOpen(TTY0.path, 'read')).toBe(true)
    expect(await bench.mayOpen(TTY0.path, 'write')).toBe(false)
  })
})
