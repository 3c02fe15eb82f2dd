import { once } from 'node:events'
import { createClient } from 'dbus-native'
import type { ScopeRequest } from '../../src/systemd/scope-properties'
import { SystemdUnits } from '../../src/systemd/systemd-units'
import { FakeSystemd, jobPath } from '../support/fake-systemd'
import { closeUnits, openUnits } from '../support/open-units'

const PID = 4711
const OTHER_PID = 4712
const UNIT = 'vmcg-1.scope'
const REQUEST: ScopeRequest = {
  unit: UNIT,
  slice: 'system.slice',
  pids: [PID],
  description: 'vmcg sandbox 1',
}
/** For what is to be given up. */
const SHORT_MS = 300

let systemd: FakeSystemd

beforeEach(async () => {
  systemd = await FakeSystemd.onBus()
  systemd.addProcess(PID)
})

afterEach(async () => {
  closeUnits()
  await systemd.close()
})

function howOften(member: string): number {
  return systemd.calls.filter((call) => call.split(' ')[0] === member).length
}

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
    expect(howOften('Subscribe')).toBe(1)
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
    expect(howOften('StartTransientUnit')).toBe(0)
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
    expect(howOften('StopUnit') + howOften('ResetFailedUnit')).toBe(0)
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
    expect(howOften('StartTransientUnit')).toBe(2)
  })

  test('is taken up when it is ours, with the processes that it lacks', async () => {
    const { invocationId } = systemd.addUnit(UNIT, { pids: [OTHER_PID] })
    const units = await openUnits(systemd)
    await expect(units.startScope({ ...REQUEST, invocationId })).resolves.toMatchObject({ invocationId })
    expect(howOften('AttachProcessesToUnit')).toBe(1)
  })

  test('is taken up when the same request has made it', async () => {
    const units = await openUnits(systemd)
    const first = await units.startScope(REQUEST)
    await expect(units.startScope(REQUEST)).resolves.toEqual(first)
    expect(howOften('AttachProcessesToUnit')).toBe(0)
  })
})

describe('a start that goes wrong', () => {
  test.each([
    ['failed', /it failed/],
    ['timeout', /took longer than systemd waits/],
    ['canceled', /somebody canceled its job/],
    ['dependency', /a unit that it needs failed/],
    ['unheard-of', /the job ended with "unheard-of"/],
  ])('ends with the result of its job: %s', async (result, message) => {
    systemd.on('StartTransientUnit', (call) => {
      const job = systemd.newJob()
      call.answer('o', jobPath(job))
      systemd.addUnit(UNIT, { activeState: 'failed' })
      systemd.tellJobRemoved(UNIT, job, result)
    })
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).rejects.toMatchObject({
      name: 'UnitJobError',
      code: 'ERR_VMCG_SYSTEMD_JOB',
      unit: UNIT,
      result,
      message: expect.stringMatching(message),
      hint: 'systemctl status vmcg-1.scope; journalctl -b -u vmcg-1.scope',
    })
    expect(systemd.units.has(UNIT)).toBe(false)
  })

  test('cancels a job that does not end in time', async () => {
    systemd.on('StartTransientUnit', (call) => {
      const job = systemd.newJob()
      systemd.addUnit(UNIT, { ...systemd.asked(call), pids: [], activeState: 'inactive', job })
      call.answer('o', jobPath(job))
    })
    const units = await openUnits(systemd, { timeoutMs: SHORT_MS })
    await expect(units.startScope(REQUEST)).rejects.toMatchObject({
      code: 'ERR_VMCG_SYSTEMD_JOB_TIMEOUT',
      message: `systemd has not started vmcg-1.scope within ${SHORT_MS} ms; its job was canceled`,
    })
    expect(howOften('CancelJob')).toBe(1)
    expect(systemd.units.has(UNIT)).toBe(false)
  })

  test('is none when the job was quicker than its cancellation', async () => {
    systemd.on('StartTransientUnit', (call) => {
      const job = systemd.newJob()
      systemd.addUnit(UNIT, { ...systemd.asked(call), activeState: 'activating', job })
      call.answer('o', jobPath(job))
    })
    systemd.on('CancelJob', (call) => {
      systemd.addUnit(UNIT, { description: REQUEST.description, pids: [PID] })
      call.refuse('org.freedesktop.systemd1.NoSuchJob')
    })
    const units = await openUnits(systemd, { timeoutMs: SHORT_MS })
    await expect(units.startScope(REQUEST)).resolves.toMatchObject({ unit: UNIT })
  })

  test('says what was asked, and the cure, when it may not', async () => {
    systemd.on('StartTransientUnit', (call) =>
      call.refuse(
        'org.freedesktop.DBus.Error.InteractiveAuthorizationRequired',
        'Interactive auth required.',
      ),
    )
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).rejects.toMatchObject({
      name: 'BusReplyError',
      code: 'ERR_VMCG_SYSTEMD_DENIED',
      message: expect.stringMatching(/^StartTransientUnit of vmcg-1.scope was refused: Interactive auth/),
      hint: expect.stringMatching(/as root.*polkit/),
    })
    expect(howOften('StartTransientUnit')).toBe(1)
  })

  test('is tried again where systemd is at a limit', async () => {
    systemd.once('StartTransientUnit', (call) => call.refuse('org.freedesktop.DBus.Error.LimitsExceeded'))
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).resolves.toMatchObject({ unit: UNIT })
  })

  test('ends after some tries where systemd stays at a limit', async () => {
    systemd.on('StartTransientUnit', (call) => call.refuse('System.Error.EAGAIN'))
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).rejects.toMatchObject({ code: 'ERR_VMCG_DBUS_LIMIT' })
    expect(howOften('StartTransientUnit')).toBe(5)
  })

  test('tells any other refusal in the words of systemd', async () => {
    systemd.on('StartTransientUnit', (call) =>
      call.refuse('org.freedesktop.DBus.Error.InvalidArgs', 'Cannot set property PIDs'),
    )
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).rejects.toMatchObject({
      code: 'ERR_VMCG_DBUS_CALL',
      dbusName: 'org.freedesktop.DBus.Error.InvalidArgs',
      text: 'Cannot set property PIDs',
    })
  })

  test('is told from a VMM that has ended', async () => {
    const units = await openUnits(systemd)
    systemd.on('StartTransientUnit', (call) => {
      systemd.endProcess(PID)
      call.refuse('org.freedesktop.DBus.Error.InvalidArgs')
    })
    const gone = { code: 'ERR_VMCG_VM_GONE', message: expect.stringMatching(/^process 4711 has ended/) }
    await expect(units.startScope(REQUEST)).rejects.toMatchObject(gone)
    await expect(units.startScope(REQUEST)).rejects.toMatchObject(gone)
    expect(howOften('StartTransientUnit')).toBe(1)
  })
})

describe('a connection that is lost in the middle', () => {
  test('of a start that was carried out is no failure', async () => {
    systemd.once('StartTransientUnit', (call) => {
      systemd.addUnit(UNIT, systemd.asked(call))
      systemd.hangUp()
    })
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).resolves.toMatchObject({ unit: UNIT })
    expect(howOften('StartTransientUnit')).toBe(1)
  })

  test('of a start that was not carried out makes it start again', async () => {
    systemd.once('StartTransientUnit', () => systemd.hangUp())
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).resolves.toMatchObject({ unit: UNIT })
    expect(howOften('StartTransientUnit')).toBe(2)
  })

  test('each time ends in an error', async () => {
    systemd.on('GetUnit', () => systemd.hangUp())
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).rejects.toMatchObject({ code: 'ERR_VMCG_DBUS_CLOSED' })
  })

  test('while a job runs is made again, and the end awaited', async () => {
    systemd.once('StartTransientUnit', (call) => {
      const job = systemd.newJob()
      const unit = systemd.addUnit(UNIT, { ...systemd.asked(call), activeState: 'activating', job })
      call.answer('o', jobPath(job))
      setTimeout(() => systemd.hangUp(), 50)
      setTimeout(() => Object.assign(unit, { activeState: 'active', job: 0 }), 200)
    })
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).resolves.toMatchObject({ unit: UNIT })
  })

  test('comes back with a bus that was restarted', async () => {
    const units = await openUnits(systemd)
    await systemd.endBus()
    setTimeout(() => systemd.restart(), 50)
    await expect(units.version()).resolves.toBe('252.1-fake')
  })
})

describe('a start that is aborted', () => {
  const reason = new Error('enough')

  test('rejects with the reason, cancels its job, and does not mind what is told later', async () => {
    const controller = new AbortController()
    const job = systemd.newJob()
    systemd.on('StartTransientUnit', (call) => {
      systemd.addUnit(UNIT, { ...systemd.asked(call), pids: [], activeState: 'inactive', job })
      call.answer('o', jobPath(job))
      setTimeout(() => controller.abort(reason), 50)
    })
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST, { signal: controller.signal })).rejects.toBe(reason)
    expect(howOften('CancelJob')).toBe(1)
    systemd.tellJobRemoved(UNIT, job, 'done')
    await expect(units.look(UNIT)).resolves.toBeUndefined()
  })

  test('asks for nothing when it was aborted before', async () => {
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(howOften('StartTransientUnit')).toBe(0)
  })
})

describe('stopping a unit', () => {
  test('waits until it has ended, and is done when it is called again', async () => {
    const units = await openUnits(systemd)
    const scope = await units.startScope(REQUEST)
    await expect(units.stop(scope)).resolves.toBe(true)
    expect(systemd.units.has(UNIT)).toBe(false)
    await expect(units.stop(scope)).resolves.toBe(false)
  })

  test('leaves a later life of the same name alone', async () => {
    systemd.addUnit(UNIT)
    const units = await openUnits(systemd)
    await expect(units.stop({ unit: UNIT, invocationId: '00'.repeat(16) })).resolves.toBe(false)
    expect(howOften('StopUnit')).toBe(0)
  })

  test('is done when the unit goes in the meantime', async () => {
    const { invocationId } = systemd.addUnit(UNIT)
    systemd.on('StopUnit', (_call, andThen) => {
      systemd.units.delete(UNIT)
      andThen()
    })
    const units = await openUnits(systemd)
    await expect(units.stop({ unit: UNIT, invocationId })).resolves.toBe(true)
  })

  test('makes systemd forget one that has failed', async () => {
    const { invocationId } = systemd.addUnit(UNIT, { activeState: 'failed' })
    const units = await openUnits(systemd)
    await expect(units.stop({ unit: UNIT, invocationId })).resolves.toBe(false)
    expect(systemd.units.has(UNIT)).toBe(false)
  })

  test('is no failure when the connection is lost after it was asked for', async () => {
    const { invocationId } = systemd.addUnit(UNIT)
    systemd.once('StopUnit', () => {
      systemd.units.delete(UNIT)
      systemd.hangUp()
    })
    const units = await openUnits(systemd)
    await expect(units.stop({ unit: UNIT, invocationId })).resolves.toBe(true)
  })

  test('gives up in time, and leaves systemd to it', async () => {
    const { invocationId } = systemd.addUnit(UNIT)
    systemd.on('StopUnit', (call) => call.answer('o', jobPath(systemd.newJob())))
    const units = await openUnits(systemd, { timeoutMs: SHORT_MS })
    await expect(units.stop({ unit: UNIT, invocationId })).rejects.toMatchObject({
      code: 'ERR_VMCG_SYSTEMD_JOB_TIMEOUT',
      message: expect.stringMatching(/it goes on/),
    })
    expect(howOften('CancelJob')).toBe(0)
  })

  test('ends with the result of its job', async () => {
    const { invocationId } = systemd.addUnit(UNIT)
    systemd.on('StopUnit', (call) => {
      const job = systemd.newJob()
      call.answer('o', jobPath(job))
      systemd.tellJobRemoved(UNIT, job, 'canceled')
    })
    const units = await openUnits(systemd)
    await expect(units.stop({ unit: UNIT, invocationId })).rejects.toMatchObject({
      code: 'ERR_VMCG_SYSTEMD_JOB',
      result: 'canceled',
    })
  })
})

describe('looking', () => {
  test('tells what systemd says of a unit', async () => {
    const { invocationId } = systemd.addUnit(UNIT, { description: 'a shop' })
    const units = await openUnits(systemd)
    await expect(units.look(UNIT)).resolves.toEqual({
      unit: UNIT,
      description: 'a shop',
      activeState: 'active',
      subState: 'running',
      invocationId,
      controlGroup: '/system.slice/vmcg-1.scope',
      job: undefined,
    })
    await expect(units.look('none.scope')).resolves.toBeUndefined()
  })

  test('tells the version of systemd', async () => {
    const units = await openUnits(systemd)
    await expect(units.version()).resolves.toBe('252.1-fake')
  })

  test('ends with close()', async () => {
    const units = await openUnits(systemd)
    units.close()
    units.close()
    await expect(units.look(UNIT)).rejects.toMatchObject({ code: 'ERR_VMCG_CLOSED' })
  })

  test('goes on for the others when one is closed', async () => {
    const { address, procRoot } = systemd
    const one = await SystemdUnits.open({ addresses: [address], procRoot })
    const other = await openUnits(systemd)
    one.close()
    await expect(other.version()).resolves.toBe('252.1-fake')
    expect(howOften('Subscribe')).toBe(1)
  })
})
