import { SystemdUnits } from '../../src/systemd/systemd-units'
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
    expect(systemd.howOften('StopUnit')).toBe(0)
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
    expect(systemd.howOften('CancelJob')).toBe(0)
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
    expect(systemd.howOften('Subscribe')).toBe(1)
  })
})
