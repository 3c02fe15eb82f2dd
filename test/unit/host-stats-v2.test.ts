import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Roots } from '../../src/engine/lane'
import type { Hierarchy } from '../../src/host/hierarchies'
import { readRoles } from '../support/read-cgroup-stats'

// A plain directory stands in for a v2 hierarchy with the cpu controller.

let mountPoint: string
const roots = new Roots()

beforeEach(() => {
  mountPoint = mkdtempSync(join(tmpdir(), 'vmcg-test-stats-'))
  mkdirSync(join(mountPoint, 'vm', 'vcpu'), { recursive: true })
})
afterEach(() => rmSync(mountPoint, { recursive: true }))
afterAll(() => roots.close())

function put(path: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) writeFileSync(join(mountPoint, path, file), `${text}\n`)
}

function read() {
  const unified: Hierarchy = {
    id: 'unified',
    version: 2,
    controllers: ['cpu'],
    mountPoint,
    mountRoot: '/',
    isReadOnly: false,
  }
  return readRoles(roots, unified, '/vm')
}

const cpuStat = (usageUs: number, throttled: number) =>
  `usage_usec ${usageUs}\nuser_usec 0\nsystem_usec 0\nnr_periods 40\nnr_throttled ${throttled}\nthrottled_usec 700`

it('tells the roles of a sandbox apart', async () => {
  put('vm', { 'cpu.stat': cpuStat(5000, 0), 'cgroup.threads': '10\n11\n12' })
  put('vm/vcpu', { 'cpu.stat': cpuStat(3000, 30), 'cgroup.threads': '20\n21', 'cpu.max': '50000 100000' })
  expect(await read()).toEqual({
    vcpu: {
      usageUs: 3000,
      quotaUs: 50_000,
      periodUs: 100_000,
      throttling: { periods: 40, throttledPeriods: 30, throttledUs: 700, bursts: null, burstUs: null },
    },
    emulator: {
      usageUs: 2000,
      throttling: { periods: 40, throttledPeriods: 0, throttledUs: 700, bursts: null, burstUs: null },
    },
    threads: { vcpu: 2, emulator: 3 },
  })
})

it('has no quota where there is no limit', async () => {
  put('vm/vcpu', { 'cpu.max': 'max 100000' })
  expect((await read()).vcpu).toMatchObject({ quotaUs: null, periodUs: 100_000 })
})

it('has zeros for cgroups that are not there', async () => {
  rmSync(join(mountPoint, 'vm'), { recursive: true })
  const { vcpu, emulator, threads } = await read()
  expect(threads).toEqual({ vcpu: 0, emulator: 0 })
  expect(vcpu).toMatchObject({ usageUs: 0, quotaUs: null, periodUs: 0 })
  expect(emulator).toMatchObject({ usageUs: 0 })
})
