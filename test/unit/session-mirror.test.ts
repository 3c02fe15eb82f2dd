import type { LinuxResources } from '../../src/model/generated/oci'
import { liftMirror, mirrorOf, showMirror, withMirror } from '../../src/session-mirror'
import { startScope } from '../../src/session-scope'
import { INTENT, PID, ScopeBench, UNIT } from '../support/scoped-session'

const NONE = { memoryMaxBytes: null, pidsMax: null, cpuQuota: null }
const MIB = 1024 * 1024

describe('what a unit shows', () => {
  test.each<[string, LinuxResources, object]>([
    ['nothing of no limits', {}, {}],
    [
      'nothing of limits that are none',
      { memory: { limit: -1 }, pids: { limit: -1 }, cpu: { quota: -1 } },
      {},
    ],
    ['memory and pids', { memory: { limit: MIB }, pids: { limit: 5 } }, { memoryMaxBytes: MIB, pidsMax: 5 }],
    ['at least what systemd takes', { memory: { limit: 0 }, pids: { limit: 0 } }, { pidsMax: 1 }],
    ['a quota', { cpu: { quota: 5000, period: 20_000 } }, { cpuQuota: { quotaUs: 5000, periodUs: 20_000 } }],
    [
      "a quota in the kernel's own period",
      { cpu: { quota: 5000 } },
      { cpuQuota: { quotaUs: 5000, periodUs: 100_000 } },
    ],
  ])('is %s', (_what, resources, shown) => {
    expect(mirrorOf(resources, { hasLeaf: false })).toEqual({ ...NONE, ...shown })
  })

  test("is not the quota of a sandbox, which is its vCPUs' alone", () => {
    const resources = { cpu: { quota: 5000 }, pids: { limit: 7 } }
    expect(mirrorOf(resources, { hasLeaf: true })).toEqual({ ...NONE, pidsMax: 7 })
  })
})

describe('limits that a unit shows', () => {
  let bench: ScopeBench
  /** Of each call that came in, what it sets by name. */
  let written: Record<string, unknown>[]

  beforeEach(async () => {
    bench = await ScopeBench.open()
    written = []
    bench.systemd.on('SetUnitProperties', ({ args: [unit, isRuntime, properties] }, andThen) => {
      expect([unit, isRuntime]).toEqual([UNIT, true])
      written.push(Object.fromEntries(Array.isArray(properties) ? properties : []))
      andThen()
    })
  })
  afterEach(() => bench.clear())

  const started = () => bench.started({ scope: { ...INTENT, mirror: null } })
  const INFINITY = 2n ** 64n - 1n

  test('are written once they hold, and only where they change', async () => {
    const session = await started()
    const resources = { memory: { limit: MIB }, pids: { limit: 7 } }
    await liftMirror(session, resources, {})
    expect(written).toEqual([])
    await showMirror(session, resources, {})
    await showMirror(session, resources, {})
    expect(written).toEqual([{ MemoryMax: BigInt(MIB), TasksMax: 7n }])
  })

  test('are taken away before they change, so that they are in no way', async () => {
    const session = await started()
    await showMirror(session, { memory: { limit: MIB }, pids: { limit: 7 } }, {})
    const resources = { memory: { limit: 2 * MIB }, pids: { limit: 7 } }
    await liftMirror(session, resources, {})
    await showMirror(session, resources, {})
    expect(written.slice(1)).toEqual([{ MemoryMax: INFINITY }, { MemoryMax: BigInt(2 * MIB) }])
  })

  test('are taken away for good with the limit', async () => {
    const session = await started()
    await showMirror(session, { pids: { limit: 7 } }, {})
    await liftMirror(session, {}, {})
    await showMirror(session, {}, {})
    expect(written.slice(1)).toEqual([{ TasksMax: INFINITY }])
  })

  test('are written again to a unit that was started anew', async () => {
    const session = await started()
    await showMirror(session, { pids: { limit: 7 } }, {})
    bench.systemd.units.delete(UNIT)
    await startScope(session, PID, {})
    await showMirror(session, { pids: { limit: 7 } }, {})
    expect(written).toEqual([{ TasksMax: 7n }, { TasksMax: 7n }])
  })

  test('are not written where nobody asks for it', async () => {
    const session = await bench.started()
    await liftMirror(session, { pids: { limit: 7 } }, {})
    await showMirror(session, { pids: { limit: 7 } }, {})
    expect(written).toEqual([])
  })

  test('are asked for where there is a unit, and once', () => {
    const { state } = bench.session()
    expect(withMirror(state, undefined)).toBe(state)
    const asked = withMirror(state, true)
    expect(asked.scope?.mirror).toBeNull()
    expect(withMirror(asked, true)).toBe(asked)
    expect(withMirror(asked, false)).toBe(asked)
    expect(() => withMirror({ ...state, scope: null }, true)).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_INVALID_ARGUMENT',
        message: expect.stringContaining('mirror'),
      }),
    )
  })
})
