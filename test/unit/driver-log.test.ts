import { logDriver } from '../../src/driver-log'
import { INTENT } from '../support/scoped-session'

const said = jest.fn()
const LOG = { debug: said, info: said, warn: said, error: said }
const CGROUPFS = { id: 'vm1', driver: 'cgroupfs', scope: null } as const

beforeEach(() => said.mockReset())

describe('what the log tells of the driver', () => {
  test('is the unit, where systemd makes the cgroup', () => {
    logDriver(LOG, { id: 'vm1', driver: 'systemd', scope: INTENT }, () => true)
    const { slice, unit } = INTENT
    expect(said.mock.calls).toEqual([[{ sandbox: 'vm1', driver: 'systemd', slice, unit }, 'driver: systemd']])
  })

  test.each([
    [false, 'driver: cgroupfs'],
    [true, expect.stringMatching(/^driver: cgroupfs; systemd runs this host/)],
  ])('is what is better on a host that systemd runs: %p', (isBooted, text) => {
    logDriver(LOG, CGROUPFS, () => isBooted)
    expect(said.mock.calls).toEqual([[{ sandbox: 'vm1', driver: 'cgroupfs' }, text]])
  })
})
