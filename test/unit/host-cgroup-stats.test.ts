import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Roots } from '../../src/engine/lane'
import type { Hierarchy } from '../../src/host/hierarchies'
import { hugePageSizes } from '../../src/host/huge-pages'
import { readCgroupStats } from '../support/read-cgroup-stats'

// A plain directory stands in for a hierarchy that few hosts mount.

let mountPoint: string
const roots = new Roots()

beforeEach(() => {
  mountPoint = mkdtempSync(join(tmpdir(), 'vmcg-test-stats-'))
  mkdirSync(join(mountPoint, 'vm'))
})
afterEach(() => rmSync(mountPoint, { recursive: true }))
afterAll(() => roots.close())

const hierarchy = (controller: string, version: 1 | 2 = 1): Hierarchy => ({
  id: version === 1 ? controller : 'unified',
  version,
  controllers: [controller],
  mountPoint,
  mountRoot: '/',
  isReadOnly: false,
})

function put(files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) writeFileSync(join(mountPoint, 'vm', file), `${text}\n`)
}

it('has figures for each size of huge pages that the kernel has', async () => {
  for (const size of ['2MB', '1GB']) {
    put({
      [`hugetlb.${size}.usage_in_bytes`]: '2097152',
      [`hugetlb.${size}.max_usage_in_bytes`]: '4194304',
      [`hugetlb.${size}.limit_in_bytes`]: size === '2MB' ? '8388608' : '9223372035781033984',
      [`hugetlb.${size}.failcnt`]: '1',
    })
  }
  const sizes = { hugePageSizes: ['2MB', '1GB'] }
  const stats = await readCgroupStats(roots, [hierarchy('hugetlb')], '/vm', sizes)
  const counter = { usageBytes: 2_097_152, maxUsageBytes: 4_194_304, failures: 1 }
  expect(stats).toEqual({
    cpu: null,
    throttling: null,
    memory: null,
    pids: null,
    blkio: null,
    hugetlb: { '2MB': { ...counter, limitBytes: 8_388_608 }, '1GB': { ...counter, limitBytes: null } },
    memoryEvents: null,
    pressure: null,
  })
})

it('has no figures with swap where the kernel does not account it', async () => {
  put({
    'memory.usage_in_bytes': '4096',
    'memory.max_usage_in_bytes': '4096',
    'memory.limit_in_bytes': '9223372036854771712',
    'memory.failcnt': '0',
    'memory.stat': 'total_rss 4096',
  })
  const { memory } = await readCgroupStats(roots, [hierarchy('memory')], '/vm')
  expect(memory).toMatchObject({ usageBytes: 4096, limitBytes: null, withSwap: null, oomKills: null })
})

it('takes the figures of one cgroup alone where the kernel has none that include those below', async () => {
  put({ 'blkio.throttle.io_service_bytes': '8:0 Read 512', 'blkio.throttle.io_serviced': '8:0 Read 1' })
  const { blkio } = await readCgroupStats(roots, [hierarchy('blkio')], '/vm')
  expect(blkio).toEqual([{ major: 8, minor: 0, readBytes: 512, writeBytes: 0, readOps: 1, writeOps: 0 }])
})

it('takes each figure from the hierarchy that has its controller, and what needs none from v2', async () => {
  put({
    'pids.current': '3',
    'pids.max': '7',
    'cpu.stat': 'usage_usec 12\nuser_usec 8\nsystem_usec 4',
    'io.pressure': 'some avg10=1.50 avg60=0.00 avg300=0.25 total=900',
    'memory.current': '4096',
  })
  const stats = await readCgroupStats(roots, [hierarchy('pids'), hierarchy('io', 2)], '/vm')
  expect(stats).toEqual({
    cpu: { usageUs: 12, userUs: 8, systemUs: 4, perCpuUs: null },
    throttling: null,
    memory: null,
    memoryEvents: null,
    pids: { current: 3, limit: 7 },
    blkio: null,
    hugetlb: null,
    pressure: {
      cpu: null,
      memory: null,
      io: { some: { avg10Percent: 1.5, avg60Percent: 0, avg300Percent: 0.25, totalUs: 900 }, full: null },
    },
  })
})

it('prefers the CPU time of v1, where the processes are certain to be counted', async () => {
  put({
    'cpuacct.usage': '5000',
    'cpuacct.stat': 'user 0\nsystem 0',
    'cpuacct.usage_percpu': '5000',
    'cpu.stat': 'usage_usec 1\nuser_usec 1\nsystem_usec 0',
  })
  const { cpu } = await readCgroupStats(roots, [hierarchy('cpuacct'), hierarchy('hugetlb', 2)], '/vm')
  expect(cpu).toMatchObject({ usageUs: 5, perCpuUs: [5] })
})

it('says that a cgroup is in none of the hierarchies', async () => {
  await expect(readCgroupStats(roots, [hierarchy('pids')], '/gone')).rejects.toMatchObject({
    code: 'ENOENT',
    path: `${mountPoint}/gone`,
  })
})

it('names huge pages as the kernel does in the files of a cgroup', () => {
  for (const size of [64, 2048, 32_768, 1_048_576, 16_777_216])
    mkdirSync(join(mountPoint, `hugepages-${size}kB`))
  expect(hugePageSizes(mountPoint)).toEqual(['64KB', '2MB', '32MB', '1GB', '16GB'])
  expect(hugePageSizes(join(mountPoint, 'nowhere'))).toEqual([])
})
