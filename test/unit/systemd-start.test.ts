import { once } from 'node:events'
import { createClient } from 'dbus-native'
import type { ScopeRequest } from '../../src/systemd/scope-properties'
import { FakeSystemd } from '../support/fake-systemd'
import { jobPath } from '../support/fake-unit'
import { PID, REQUEST, UNIT } from '../support/first-scope'
import { closeUnits, openUnits } from '../support/open-units'

const OTHER_PID = 4712

let systemd: FakeSystemd

beforeEach(async () => {
  systemd = await FakeSystemd.onBus()
  systemd.addProcess(PID)
})

afterEach(async () => {
  closeUnits()
  await systemd.close()
})

describe('starting a scope', () => {
  test('puts the processes into a unit that systemd knows, and says where that is', async () => {
    const units = await openUnits(systemd)
    const scope = await units.startScope(REQUEST)
    expect(scope).toEqual({
      unit: UNIT,
      invocationId: systemd.units.get(UNIT)?.invocationId,
      controlGroup: '/system.slice/vmcg-1.scope',
      cgroups: [{ hierarchyId: 0, controllers: [], path: '/system.slice/vmcg-1.scope' }],
    })
    expect(systemd.units.get(UNIT)).toMatchObject({ description: 'vmcg sandbox 1', pids: [PID] })
  })

  test('works over the socket of systemd itself, where no bus is', async () => {
    const peer = await FakeSystemd.asPeer()
    try {
      peer.addProcess(PID)
      const units = await openUnits(peer)
      const { invocationId } = await units.startScope(REQUEST)
      await expect(units.stop({ unit: UNIT, invocationId })).resolves.toBe(true)
      expect(peer.calls).not.toContain('Hello')
    } finally {
      closeUnits()
      await peer.close()
    }
  })

  test('starts twenty at a time over one connection', async () => {
    const units = await openUnits(systemd)
    const pids = Array.from({ length: 20 }, (_, index) => PID + index)
    for (const pid of pids) systemd.addProcess(pid)
    const scopes = await Promise.all(
      pids.map((pid) => units.startScope({ ...REQUEST, unit: `vmcg-${pid}.scope`, pids: [pid] })),
    )
    expect(scopes.map(({ unit }) => unit)).toEqual(pids.map((pid) => `vmcg-${pid}.scope`))
    expect(systemd.howOften('Subscribe')).toBe(1)
  })

  test('knows of a job that has ended before its path was told', async () => {
    systemd.on('StartTransientUnit', (call) => {
      const job = systemd.newJob()
      systemd.addUnit(UNIT, systemd.asked(call))
      systemd.tellJobRemoved(UNIT, job, 'done')
      call.answer('o', jobPath(job))
    })
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).resolves.toMatchObject({ unit: UNIT })
  })

  test('looks by itself where nobody tells of the end', async () => {
    systemd.on('StartTransientUnit', (call) => {
      systemd.addUnit(UNIT, systemd.asked(call))
      call.answer('o', jobPath(systemd.newJob()))
    })
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).resolves.toMatchObject({ unit: UNIT })
  })

  test('believes nobody but systemd about jobs', async () => {
    const stranger = createClient({ socket: systemd.address.socket })
    await once(stranger.connection, 'connect')
    systemd.on('StartTransientUnit', (call) => {
      const job = systemd.newJob()
      stranger.connection.message({
        type: 4,
        serial: 1_000,
        destination: call.sender,
        path: '/org/freedesktop/systemd1',
        interface: 'org.freedesktop.systemd1.Manager',
        member: 'JobRemoved',
        signature: 'uoss',
        body: [job, jobPath(job), UNIT, 'failed'],
      })
      call.answer('o', jobPath(job))
      systemd.addUnit(UNIT, systemd.asked(call))
      setTimeout(() => systemd.tellJobRemoved(UNIT, job, 'done'), 100)
    })
    try {
      const units = await openUnits(systemd)
      await expect(units.startScope(REQUEST)).resolves.toMatchObject({ unit: UNIT })
    } finally {
      await stranger.close()
    }
  })

  test('says so when a process is elsewhere although systemd is content', async () => {
    systemd.on('StartTransientUnit', (_call, andThen) => {
      andThen()
      systemd.addProcess(PID, '/elsewhere')
    })
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).rejects.toMatchObject({
      code: 'ERR_VMCG_VERIFY',
      path: `/proc/${PID}/cgroup`,
    })
  })

  test.each<[string, Partial<ScopeRequest>, RegExp]>([
    ['no process', { pids: [] }, /pids must be at least one process/],
    ['no pid', { pids: [0] }, /pids\[0\] must be a whole number above 0/],
    ['no scope', { unit: 'a.service' }, /unit must be the name of a scope/],
    ['a second line', { description: 'a\nSlice=b.slice' }, /description must be one line/],
  ])('refuses %s before it asks', async (_name, wrong, message) => {
    const units = await openUnits(systemd)
    await expect((async () => units.startScope({ ...REQUEST, ...wrong }))()).rejects.toMatchObject({
      code: 'ERR_VMCG_INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
    expect(systemd.howOften('StartTransientUnit')).toBe(0)
  })
})

describe('a scope that is there already', () => {
  test('is left alone when it is not ours, and told of', async () => {
    systemd.addUnit(UNIT, { description: 'a shop', pids: [OTHER_PID] })
    const units = await openUnits(systemd)
    await expect(units.startScope({ ...REQUEST, invocationId: '00'.repeat(16) })).rejects.toMatchObject({
      code: 'ERR_VMCG_FOREIGN_UNIT',
      message: `vmcg-1.scope is somebody else's: "a shop", active, with process ${OTHER_PID} ("program-${OTHER_PID}")`,
      value: UNIT,
      hint: expect.stringMatching(/systemctl status vmcg-1.scope/),
    })
    expect(systemd.units.get(UNIT)?.pids).toEqual([OTHER_PID])
    expect(systemd.howOften('StopUnit') + systemd.howOften('ResetFailedUnit')).toBe(0)
  })

  test('is not ours by its description alone', async () => {
    systemd.addUnit(UNIT, { description: REQUEST.description, pids: [OTHER_PID] })
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).rejects.toMatchObject({ code: 'ERR_VMCG_FOREIGN_UNIT' })
  })

  test('is left alone when it has failed and is not ours', async () => {
    systemd.addUnit(UNIT, { description: 'a shop', activeState: 'failed' })
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).rejects.toMatchObject({ code: 'ERR_VMCG_FOREIGN_UNIT' })
    expect(systemd.units.has(UNIT)).toBe(true)
  })

  test('is forgotten and started anew when it is ours and has failed', async () => {
    const { invocationId } = systemd.addUnit(UNIT, { activeState: 'failed' })
    const units = await openUnits(systemd)
    const scope = await units.startScope({ ...REQUEST, invocationId })
    expect(scope.invocationId).not.toBe(invocationId)
    expect(systemd.howOften('StartTransientUnit')).toBe(2)
  })

  test('is taken up when it is ours, with the processes that it lacks', async () => {
    const { invocationId } = systemd.addUnit(UNIT, { pids: [OTHER_PID] })
    const units = await openUnits(systemd)
    await expect(units.startScope({ ...REQUEST, invocationId })).resolves.toMatchObject({ invocationId })
    expect(systemd.howOften('AttachProcessesToUnit')).toBe(1)
  })

  test('is started anew when it ends before it can be taken up', async () => {
    const { invocationId } = systemd.addUnit(UNIT, { pids: [OTHER_PID] })
    systemd.once('AttachProcessesToUnit', (call) => {
      systemd.units.delete(UNIT)
      call.refuse('org.freedesktop.systemd1.NoSuchUnit')
    })
    const units = await openUnits(systemd)
    const scope = await units.startScope({ ...REQUEST, invocationId })
    expect(scope.invocationId).not.toBe(invocationId)
    expect(systemd.howOften('StartTransientUnit')).toBe(2)
  })

  test('is not given what systemd refuses while it runs', async () => {
    const { invocationId } = systemd.addUnit(UNIT, { pids: [OTHER_PID] })
    systemd.on('AttachProcessesToUnit', (call) => call.refuse('org.freedesktop.DBus.Error.Failed'))
    const units = await openUnits(systemd)
    await expect(units.startScope({ ...REQUEST, invocationId })).rejects.toMatchObject({
      code: 'ERR_VMCG_DBUS_CALL',
    })
  })

  test('is taken up when the same request has made it', async () => {
    const units = await openUnits(systemd)
    const first = await units.startScope(REQUEST)
    await expect(units.startScope(REQUEST)).resolves.toEqual(first)
    expect(systemd.howOften('AttachProcessesToUnit')).toBe(0)
  })
})
