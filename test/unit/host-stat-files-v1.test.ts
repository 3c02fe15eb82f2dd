import { byteLimitOf, numberOf, numbersFile } from '../../src/host/figure-file'
import {
  blockDevicesV1,
  CPU_STAT,
  CPUACCT_PER_CPU,
  CPUACCT_STAT,
  CPUACCT_USAGE,
  cpuStatsV1,
  IO_BYTES,
  IO_OPS,
  MEMORY_STAT,
  memoryPartsV1,
  OOM_CONTROL,
  oomKillsV1,
  throttlingV1,
} from '../../src/host/stat-files-v1'
import { figuresOfText } from '../support/figures-of-text'

it.each([
  ['0', 0],
  ['999', 0],
  ['1000', 1],
  ['1999', 1],
  ['9007199254740991999', 9_007_199_254_740_991],
])('%s ns are %d us', (text, us) => {
  expect(numberOf(figuresOfText(CPUACCT_USAGE, text))).toBe(us)
})

it.each([
  ['0', 0],
  ['4096', 4096],
  ['9007199254740991', 2 ** 53 - 1],
  ['9223372036854771712', null],
  ['9223372036854710272', null],
  ['9223372036852678656', null],
  ['9223372035781033984', null],
])('a limit of %s bytes is %p', (text, limit) => {
  expect(byteLimitOf(figuresOfText(numbersFile('memory.limit_in_bytes'), text)[1])).toBe(limit)
})

it('reads how far a quota held back, in microseconds', () => {
  const stat = 'nr_periods 7\nnr_throttled 3\nthrottled_time 1234567\nnr_bursts 2\nburst_time 5999'
  expect(throttlingV1(figuresOfText(CPU_STAT, stat))).toEqual({
    periods: 7,
    throttledPeriods: 3,
    throttledUs: 1234,
    bursts: 2,
    burstUs: 5,
  })
})

it('has no figures of bursts from a kernel that has no bursts', () => {
  expect(
    throttlingV1(figuresOfText(CPU_STAT, 'nr_periods 0\nnr_throttled 0\nthrottled_time 0')),
  ).toMatchObject({
    bursts: null,
    burstUs: null,
  })
})

it('reads CPU time in ns and in ticks as microseconds', () => {
  const usage = figuresOfText(CPUACCT_USAGE, '3000500\n')
  const stat = figuresOfText(CPUACCT_STAT, 'user 12\nsystem 3\n')
  const perCpu = figuresOfText(CPUACCT_PER_CPU, '2000000 1000500 \n')
  expect(cpuStatsV1(usage, stat, perCpu)).toEqual({
    usageUs: 3000,
    userUs: 120_000,
    systemUs: 30_000,
    perCpuUs: [2000, 1000],
  })
})

it('takes the sums over all that is below from memory.stat', () => {
  const stat =
    'cache 1\nrss 2\nshmem 3\ntotal_cache 4096\ntotal_rss 8192\ntotal_shmem 12288\ntotal_pgmajfault 4'
  expect(memoryPartsV1(figuresOfText(MEMORY_STAT, stat))).toMatchObject({
    cacheBytes: 4096,
    rssBytes: 8192,
    shmemBytes: 12288,
    swapBytes: null,
    majorPageFaults: 4,
  })
})

it.each([
  ['oom_kill_disable 0\nunder_oom 0\noom_kill 5', 5],
  ['oom_kill_disable 0\nunder_oom 0', null],
])('counts those killed for want of memory in %j', (text, kills) => {
  expect(oomKillsV1(figuresOfText(OOM_CONTROL, text))).toBe(kills)
})

it('reads each device by its number, and leaves out the sum', () => {
  const bytes = '254:0 Read 100\n254:0 Write 200\n254:0 Sync 300\n8:16 Read 1\n8:16 Total 1\nTotal 301'
  const ops = '254:0 Read 10\n254:0 Write 20\n8:0 Write 4\nTotal 34'
  expect(blockDevicesV1(figuresOfText(IO_BYTES, bytes), figuresOfText(IO_OPS, ops))).toEqual([
    { major: 8, minor: 0, readBytes: 0, writeBytes: 0, readOps: 0, writeOps: 4 },
    { major: 8, minor: 16, readBytes: 1, writeBytes: 0, readOps: 0, writeOps: 0 },
    { major: 254, minor: 0, readBytes: 100, writeBytes: 200, readOps: 10, writeOps: 20 },
  ])
})

it('finds no device where nothing was read or written', () => {
  expect(blockDevicesV1(figuresOfText(IO_BYTES, 'Total 0'), figuresOfText(IO_OPS, 'Total 0'))).toEqual([])
})
