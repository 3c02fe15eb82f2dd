import { knowScope } from '../../src/session-known-scope'
import type { FakeSystemd } from '../support/fake-systemd'
import { PID, ScopeBench, UNIT } from '../support/scoped-session'

let bench: ScopeBench
let systemd: FakeSystemd

beforeEach(async () => {
  bench = await ScopeBench.open()
  ;({ systemd } = bench)
})
afterEach(() => bench.clear())

/** With what a unit of that name needs to be another one. */
function replaceUnit(): void {
  const unit = systemd.units.get(UNIT)
  if (unit !== undefined) systemd.units.set(UNIT, { ...unit, invocationId: 'f'.repeat(32) })
}

describe('what is known of the unit before somebody in it is moved or killed', () => {
  test('is what was written down while it runs', async () => {
    const session = await bench.started({ claimed: ['unified'] })
    const before = session.state
    await knowScope(session, {})
    expect(session.state).toEqual(before)
  })

  test.each([
    ['it has ended', () => systemd.units.delete(UNIT)],
    ['another one has its name', replaceUnit],
  ])('is nothing once %s: no cgroup of it is ours any more', async (_, happen) => {
    const session = await bench.started({ claimed: ['unified', 'cpuset'] })
    happen()
    await knowScope(session, {})
    expect(session.state).toMatchObject({ claimed: ['cpuset'], scope: { hierarchies: [] } })
    expect(session.state.scope?.isStarting).toBeUndefined()
  })

  test('is nothing of a start that systemd knows nothing of', async () => {
    const session = bench.session()
    const { scope } = session.state
    if (scope) await session.save({ scope: { ...scope, isStarting: true } })
    await knowScope(session, {})
    expect(session.state.scope).toEqual({ ...scope, isStarting: undefined })
  })

  test('is asked for by nobody before there was a unit', async () => {
    await knowScope(bench.session(), {})
    await knowScope(bench.session({ driver: 'cgroupfs', parent: '/kata', scope: null }), {})
    expect(systemd.calls).toEqual([])
  })
})

test('a start that fails leaves no trace in the state', async () => {
  systemd.endProcess(PID)
  const session = bench.session()
  await expect(bench.start(session)).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
  expect(session.state.scope?.isStarting).toBeUndefined()
})
