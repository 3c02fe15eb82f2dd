import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { resumeScope } from '../../src/session-scope'
import { SandboxStore } from '../../src/state/sandbox-store'
import type { FakeSystemd } from '../support/fake-systemd'
import { ScopeBench, UNIT } from '../support/scoped-session'

let bench: ScopeBench
let systemd: FakeSystemd

beforeEach(async () => {
  bench = await ScopeBench.open()
  ;({ systemd } = bench)
})
afterEach(() => bench.clear())

describe('a start that was not brought to its end', () => {
  test('is gone on with where its unit runs, and is none after that', async () => {
    const session = await bench.started({ claimed: ['unified'] })
    const { scope } = session.state
    expect(scope?.isStarting).toBeUndefined()
    if (scope) await session.save({ scope: { ...scope, isStarting: true } })
    await resumeScope(session, {})
    expect(session.state).toMatchObject({ claimed: ['unified'], scope: { unit: UNIT } })
    expect(session.state.scope).toEqual({ ...scope, isStarting: undefined })
  })

  test('is forgotten where there is no such unit', async () => {
    const session = await bench.started()
    const { scope } = session.state
    systemd.units.delete(UNIT)
    if (scope) await session.save({ scope: { ...scope, isStarting: true } })
    await resumeScope(session, {})
    expect(session.state.scope).toMatchObject({ hierarchies: [], isStarting: undefined })
  })

  test('asks nobody where there is none', async () => {
    const session = await bench.started()
    const { length } = systemd.calls
    await resumeScope(session, {})
    expect(systemd.calls).toHaveLength(length)
  })

  test('is written down until everybody is where they belong', async () => {
    const session = bench.session()
    const saved: unknown[] = []
    const { save } = session
    await bench.start({
      ...session,
      get state() {
        return session.state
      },
      get paths() {
        return session.paths
      },
      save: async (changes) => {
        if (changes.scope) saved.push([changes.scope.invocationId !== null, changes.scope.isStarting])
        await save(changes)
      },
    })
    expect(saved).toEqual([
      [false, true],
      [true, true],
      [true, undefined],
    ])
    expect(systemd.units.get(UNIT)).toMatchObject({ description: expect.stringContaining('vm1') })
  })
})

test('the door of a launch goes with the state', async () => {
  const where = { driver: 'systemd', parent: 'system.slice:vmcg', id: 'vm1' } as const
  const store = new SandboxStore(join(bench.mountPoint, 'state'), where)
  await store.locked({ timeoutMs: 1000 }, async (lock) => {
    writeFileSync(store.doorPath, '')
    await store.remove(lock)
  })
  expect(existsSync(store.doorPath)).toBe(false)
})
