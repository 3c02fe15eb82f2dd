import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { placeOf } from '../../src/scope-place'
import {
  hasScope,
  joinScope,
  plannedState,
  requireScope,
  startScope,
  stopScope,
} from '../../src/session-scope'
import type { FakeSystemd } from '../support/fake-systemd'
import { hierarchy, INTENT, PID, SCOPE, ScopeBench, UNIT } from '../support/scoped-session'

let bench: ScopeBench
let systemd: FakeSystemd
let mountPoint: string

beforeEach(async () => {
  bench = await ScopeBench.open()
  ;({ systemd, mountPoint } = bench)
})
afterEach(() => bench.clear())

describe('the unit of a sandbox', () => {
  test('is only meant until a process comes', async () => {
    const session = bench.session()
    await expect(hasScope(session, {})).resolves.toBe(false)
    await expect(requireScope(session, {})).rejects.toMatchObject({
      code: 'ERR_VMCG_NOT_ATTACHED',
      value: UNIT,
      hint: expect.stringContaining('attach()'),
    })
    await stopScope(session, {})
    expect(systemd.calls).toEqual([])
  })

  test('begins with that process, and the state says where it is', async () => {
    const session = await bench.started()
    const unit = systemd.units.get(UNIT)
    expect(unit).toMatchObject({ description: 'vmcg sandbox vm1', pids: [PID] })
    expect(session.state.scope).toEqual({
      ...INTENT,
      hierarchies: ['unified'],
      invocationId: unit?.invocationId,
    })
    await expect(requireScope(session, {})).resolves.toBeUndefined()
  })

  test('is taken up where it runs, so that a VMM can be attached twice', async () => {
    const session = await bench.started()
    const before = session.state.scope
    await startScope(session, PID, {})
    expect(session.state.scope).toEqual(before)
  })

  test('begins anew with another VMM once it has ended', async () => {
    const session = await bench.started()
    const before = session.state.scope?.invocationId
    systemd.units.delete(UNIT)
    systemd.addProcess(PID + 1)
    await startScope(session, PID + 1, {})
    expect(session.state.scope?.invocationId).toEqual(expect.stringMatching(/^[0-9a-f]{32}$/))
    expect(session.state.scope?.invocationId).not.toBe(before)
  })

  test('is gone when systemd has none of that name, and the error says so', async () => {
    const session = await bench.started()
    systemd.units.delete(UNIT)
    await expect(requireScope(session, {})).rejects.toMatchObject({
      code: 'ERR_VMCG_VM_GONE',
      value: UNIT,
      hint: expect.stringContaining('destroy()'),
    })
  })

  test("is gone when somebody else's has its name", async () => {
    const session = await bench.started()
    systemd.addUnit(UNIT)
    await expect(hasScope(session, {})).resolves.toBe(false)
    await stopScope(session, {})
    expect(systemd.howOften('StopUnit')).toBe(0)
  })

  test('is not asked for where its cgroup and ours in it are there', async () => {
    const scope = { ...INTENT, hierarchies: ['unified'], invocationId: 'a'.repeat(32) }
    const session = bench.session({ scope, claimed: ['unified'] }, ['cpu'])
    mkdirSync(join(mountPoint, SCOPE, 'vm'), { recursive: true })
    await expect(hasScope(session, {})).resolves.toBe(true)
    expect(systemd.calls).toEqual([])
  })

  test('is gone with its cgroup, whatever systemd says', async () => {
    const scope = { ...INTENT, hierarchies: ['unified'], invocationId: 'a'.repeat(32) }
    const session = bench.session({ scope }, ['cpu'])
    await expect(requireScope(session, {})).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
    expect(systemd.calls).toEqual([])
  })

  test('is ended, and not twice', async () => {
    const session = await bench.started()
    await stopScope(session, {})
    expect(systemd.units.has(UNIT)).toBe(false)
    await stopScope(session, {})
    expect(systemd.howOften('StopUnit')).toBe(1)
  })

  test('is of no concern to a sandbox without one', async () => {
    const session = bench.session({ driver: 'cgroupfs', parent: '/kata', scope: null })
    await startScope(session, PID, {})
    await joinScope(session, PID, {})
    await requireScope(session, {})
    await stopScope(session, {})
    expect(systemd.calls).toEqual([])
  })

  test('is planned as if all of it were to be made, as long as its cgroup is not there', () => {
    const scope = { ...INTENT, hierarchies: ['unified'], invocationId: 'a'.repeat(32) }
    const session = bench.session({ scope }, ['cpu'])
    expect(plannedState(session).scope?.hierarchies).toEqual([])
    mkdirSync(join(mountPoint, SCOPE), { recursive: true })
    expect(plannedState(session)).toBe(session.state)
  })
})

describe('where a unit is', () => {
  const unit = { unit: UNIT, invocationId: 'a'.repeat(32), controlGroup: SCOPE }
  const at = (hierarchyId: number, controllers: readonly string[], path: string) => ({
    hierarchyId,
    controllers: [...controllers],
    path,
  })

  test('is told for the hierarchies in which systemd has made it', () => {
    const hierarchies = [
      hierarchy('cpu,cpuacct', 1, ['cpu', 'cpuacct']),
      hierarchy('cpuset', 1, ['cpuset']),
      hierarchy('name=systemd', 1, []),
    ]
    const cgroups = [at(4, ['cpu', 'cpuacct'], SCOPE), at(1, ['name=systemd'], SCOPE)]
    expect(placeOf({ ...unit, cgroups }, hierarchies)).toEqual({
      path: SCOPE,
      hierarchies: ['cpu,cpuacct', 'name=systemd'],
    })
  })

  test('is below what this process sees of a hierarchy', () => {
    const seen = { ...hierarchy('unified', 2, ['cpu']), mountRoot: '/machine' }
    const cgroups = [at(0, [], `/machine${SCOPE}`)]
    expect(placeOf({ ...unit, cgroups }, [seen])).toEqual({ path: SCOPE, hierarchies: ['unified'] })
  })

  test('is an error where this process does not see it', () => {
    const seen = { ...hierarchy('unified', 2, ['cpu']), mountRoot: '/machine' }
    expect(() => placeOf({ ...unit, cgroups: [at(0, [], SCOPE)] }, [seen])).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_VERIFY', path: SCOPE }),
    )
  })
})
