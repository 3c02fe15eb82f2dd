import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSystemdHost } from '../../src/host/systemd'
import { cgroupsOfUnit } from '../../src/systemd/scope-cgroups'
import { limitProperties, scopeProperties, type UnitLimits } from '../../src/systemd/scope-properties'

const REQUEST = { unit: 'a.scope', slice: 'system.slice', pids: [7, 8, 7], description: 'vmcg sandbox 1' }

describe('the properties of a scope', () => {
  test('are who is in it, where, and that it is delegated and accounted for', () => {
    expect(scopeProperties(REQUEST)).toEqual([
      ['Description', ['s', 'vmcg sandbox 1']],
      ['Slice', ['s', 'system.slice']],
      ['Delegate', ['b', true]],
      ['CPUAccounting', ['b', true]],
      ['MemoryAccounting', ['b', true]],
      ['IOAccounting', ['b', true]],
      ['TasksAccounting', ['b', true]],
      ['TasksMax', ['t', 2n ** 64n - 1n]],
      ['CollectMode', ['s', 'inactive-or-failed']],
      ['PIDs', ['au', [7, 8]]],
    ])
  })

  test.each<[Partial<UnitLimits>, string, bigint]>([
    [{ memoryMaxBytes: 2 ** 40 }, 'MemoryMax', 2n ** 40n],
    [{ memoryMaxBytes: null }, 'MemoryMax', 2n ** 64n - 1n],
    [{ pidsMax: 0 }, 'TasksMax', 0n],
  ])('of limits write %p as %s of %p', (limits, name, value) => {
    expect(limitProperties(limits)).toEqual([[name, ['t', value]]])
  })

  test.each<[UnitLimits['cpuQuota'], bigint, bigint]>([
    [null, 2n ** 64n - 1n, 2n ** 64n - 1n],
    [{ quotaUs: 50_000, periodUs: 100_000 }, 500_000n, 100_000n],
    [{ quotaUs: 33_333, periodUs: 100_000 }, 340_000n, 100_000n],
    [{ quotaUs: 4_000, periodUs: 1_000_000 }, 10_000n, 1_000_000n],
    [{ quotaUs: 250_000, periodUs: 100_000 }, 2_500_000n, 100_000n],
  ])('of a quota of %p write %p a second, in periods of %p', (cpuQuota, perSecondUs, periodUs) => {
    expect(limitProperties({ cpuQuota })).toEqual([
      ['CPUQuotaPerSecUSec', ['t', perSecondUs]],
      ['CPUQuotaPeriodUSec', ['t', periodUs]],
    ])
  })
})

describe('the cgroups of a unit, as one of its processes has them', () => {
  let procRoot: string

  beforeEach(() => {
    procRoot = mkdtempSync(join(tmpdir(), 'vmcg-test-proc-'))
  })

  afterEach(() => rmSync(procRoot, { recursive: true, force: true }))

  const unit = '/system.slice/vmcg-1.scope'

  test.each([
    ['v2', '0::/system.slice/vmcg-1.scope', [[0, [], unit]]],
    ['a cgroup below it', '0::/system.slice/vmcg-1.scope/vm/vcpu', [[0, [], unit]]],
    ['a cgroup namespace', '0::/../system.slice/vmcg-1.scope', [[0, [], `/..${unit}`]]],
    ['another name that begins alike', '0::/system.slice/vmcg-1.scope2', []],
    [
      'v1, where systemd manages some hierarchies only',
      '4:cpuset:/\n3:memory:/system.slice/vmcg-1.scope\n1:name=systemd:/system.slice/vmcg-1.scope',
      [
        [3, ['memory'], unit],
        [1, ['name=systemd'], unit],
      ],
    ],
  ])('on %s', (_name, text, expected) => {
    mkdirSync(join(procRoot, '7'))
    writeFileSync(join(procRoot, '7', 'cgroup'), `${text}\n`)
    const found = cgroupsOfUnit(7, unit, procRoot)
    expect(found?.map(({ hierarchyId, controllers, path }) => [hierarchyId, controllers, path])).toEqual(
      expected,
    )
  })

  test('of a process that is gone are not known', () => {
    expect(cgroupsOfUnit(7, unit, procRoot)).toBeUndefined()
  })
})

describe('a host', () => {
  let runRoot: string

  beforeEach(() => {
    runRoot = mkdtempSync(join(tmpdir(), 'vmcg-test-run-'))
  })

  afterEach(() => rmSync(runRoot, { recursive: true, force: true }))

  test('is run by systemd when there is its folder in /run', () => {
    expect(isSystemdHost(runRoot)).toBe(false)
    mkdirSync(join(runRoot, 'systemd', 'system'), { recursive: true })
    expect(isSystemdHost(runRoot)).toBe(true)
  })
})
