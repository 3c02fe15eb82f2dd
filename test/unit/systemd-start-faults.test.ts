import { FakeSystemd } from '../support/fake-systemd'
import { jobPath } from '../support/fake-unit'
import { PID, REQUEST, SHORT_MS, UNIT } from '../support/first-scope'
import { closeUnits, openUnits } from '../support/open-units'

let systemd: FakeSystemd

beforeEach(async () => {
  systemd = await FakeSystemd.onBus()
  systemd.addProcess(PID)
})

afterEach(async () => {
  closeUnits()
  await systemd.close()
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
      message: `systemd has not started vmcg-1.scope within ${SHORT_MS} ms; its job is canceled, as far as systemd answers`,
    })
    expect(systemd.howOften('CancelJob')).toBe(1)
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
    expect(systemd.howOften('StartTransientUnit')).toBe(1)
  })

  test.each([
    ['is at a limit', 'org.freedesktop.DBus.Error.LimitsExceeded'],
    ['has left the bus for a moment', 'org.freedesktop.DBus.Error.ServiceUnknown'],
    ['went away before it answered', 'org.freedesktop.DBus.Error.NoReply'],
  ])('is tried again where systemd %s', async (_name, dbusName) => {
    systemd.once('StartTransientUnit', (call) => call.refuse(dbusName))
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).resolves.toMatchObject({ unit: UNIT })
    expect(systemd.howOften('StartTransientUnit')).toBe(2)
  })

  test('ends after some tries where systemd stays at a limit', async () => {
    systemd.on('StartTransientUnit', (call) => call.refuse('System.Error.EAGAIN'))
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).rejects.toMatchObject({ code: 'ERR_VMCG_DBUS_LIMIT' })
    expect(systemd.howOften('StartTransientUnit')).toBe(7)
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
    expect(systemd.howOften('StartTransientUnit')).toBe(1)
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
    expect(systemd.howOften('StartTransientUnit')).toBe(1)
  })

  test('of a start that was not carried out makes it start again', async () => {
    systemd.once('StartTransientUnit', () => systemd.hangUp())
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).resolves.toMatchObject({ unit: UNIT })
    expect(systemd.howOften('StartTransientUnit')).toBe(2)
  })

  test("makes nobody else's unit ours", async () => {
    systemd.once('StartTransientUnit', () => {
      systemd.addUnit(UNIT, { description: 'a shop', activeState: 'failed' })
      systemd.hangUp()
    })
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST)).rejects.toMatchObject({ code: 'ERR_VMCG_FOREIGN_UNIT' })
    expect(systemd.units.has(UNIT)).toBe(true)
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
    expect(systemd.howOften('CancelJob')).toBe(1)
    systemd.tellJobRemoved(UNIT, job, 'done')
    await expect(units.look(UNIT)).resolves.toBeUndefined()
  })

  test('asks for nothing when it was aborted before', async () => {
    const units = await openUnits(systemd)
    await expect(units.startScope(REQUEST, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(systemd.howOften('StartTransientUnit')).toBe(0)
  })
})
