import { limitOf, numbersFile } from '../../src/host/figure-file'
import {
  blockDevicesV2,
  CPU_MAX,
  CPU_STAT,
  cpuMaxV2,
  cpuStatsV2,
  IO_STAT,
  MEMORY_STAT,
  maxEventsFile,
  memoryEventsFile,
  memoryEventsV2,
  memoryPartsV2,
  pressureFile,
  pressureV2,
  tellsThrottling,
  throttlingV2,
} from '../../src/host/stat-files-v2'
import { figuresOfText } from '../support/figures-of-text'

const CPU_PRESSURE = pressureFile('cpu')

// As Linux 6.1 and 6.18 write them.

const CPU_STAT_TEXT = `usage_usec 499584
user_usec 467590
system_usec 31994
nice_usec 0
core_sched.force_idle_usec 0
nr_periods 12
nr_throttled 5
throttled_usec 345678
nr_bursts 2
burst_usec 99`

it('reads CPU time, which v2 does not divide between CPUs', () => {
  expect(cpuStatsV2(figuresOfText(CPU_STAT, CPU_STAT_TEXT))).toEqual({
    usageUs: 499_584,
    userUs: 467_590,
    systemUs: 31_994,
    perCpuUs: null,
  })
})

it('reads how far a quota held back', () => {
  expect(throttlingV2(figuresOfText(CPU_STAT, CPU_STAT_TEXT))).toEqual({
    periods: 12,
    throttledPeriods: 5,
    throttledUs: 345_678,
    bursts: 2,
    burstUs: 99,
  })
})

it('finds nothing of quotas where the cpu controller is not enabled', () => {
  const stat = 'usage_usec 1\nuser_usec 1\nsystem_usec 0'
  expect(tellsThrottling(figuresOfText(CPU_STAT, stat))).toBe(false)
  expect(tellsThrottling(figuresOfText(CPU_STAT, CPU_STAT_TEXT))).toBe(true)
  expect(throttlingV2(figuresOfText(CPU_STAT, stat))).toEqual({
    periods: 0,
    throttledPeriods: 0,
    throttledUs: 0,
    bursts: null,
    burstUs: null,
  })
})

it.each([
  ['max 100000', null, 100_000],
  ['25000 50000', 25_000, 50_000],
  ['1000 1000000', 1000, 1_000_000],
])('a cpu.max of %s is a quota of %p in %d us', (text, quotaUs, periodUs) => {
  expect(cpuMaxV2(figuresOfText(CPU_MAX, text))).toEqual({ quotaUs, periodUs })
})

it.each([
  ['max', null],
  ['0', 0],
  ['100', 100],
])('a limit of %s is %p', (text, limit) => {
  expect(limitOf(figuresOfText(numbersFile('pids.max'), text)[1])).toBe(limit)
})

it('tells the parts of memory in the words of v1', () => {
  const stat = `anon 8192
file 20480
kernel 4096
shmem 12288
file_mapped 16384
file_dirty 1
file_writeback 2
swapcached 0
anon_thp 2097152
inactive_anon 3
active_anon 4
inactive_file 5
active_file 6
unevictable 7
pgfault 8
pgmajfault 9`
  expect(memoryPartsV2(figuresOfText(MEMORY_STAT, stat), 4096)).toEqual({
    cacheBytes: 20_480,
    rssBytes: 8192,
    rssHugeBytes: 2_097_152,
    shmemBytes: 12_288,
    mappedFileBytes: 16_384,
    dirtyBytes: 1,
    writebackBytes: 2,
    swapBytes: 4096,
    inactiveAnonBytes: 3,
    activeAnonBytes: 4,
    inactiveFileBytes: 5,
    activeFileBytes: 6,
    unevictableBytes: 7,
    pageFaults: 8,
    majorPageFaults: 9,
  })
})

it.each([
  [
    'low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6',
    { low: 1, high: 2, max: 3, oom: 4, oomKill: 5, oomGroupKill: 6 },
  ],
  [
    'low 0\nhigh 0\nmax 9\noom 0\noom_kill 0',
    { low: 0, high: 0, max: 9, oom: 0, oomKill: 0, oomGroupKill: 0 },
  ],
])('counts what happened to memory in %j', (text, events) => {
  expect(memoryEventsV2(figuresOfText(memoryEventsFile('memory.events'), text))).toEqual(events)
})

it.each([
  ['high 0\nmax 4\nfail 4', 4],
  ['max 2', 2],
])('counts in %j how often a limit was run into', (text, times) => {
  expect(figuresOfText(maxEventsFile('memory.swap.events'), text)[0]).toBe(times)
})

it('reads each device by its number, also with figures that it does not know', () => {
  const stat = `254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0
8:16 rbytes=1 wbytes=0 rios=1 wios=0 dbytes=0 dios=0 cost.vrate=100.00 cost.usage=42
8:0 cost.usage=7`
  expect(blockDevicesV2(figuresOfText(IO_STAT, stat))).toEqual([
    { major: 8, minor: 0, readBytes: 0, writeBytes: 0, readOps: 0, writeOps: 0 },
    { major: 8, minor: 16, readBytes: 1, writeBytes: 0, readOps: 1, writeOps: 0 },
    { major: 254, minor: 0, readBytes: 4096, writeBytes: 8192, readOps: 1, writeOps: 2 },
  ])
})

it.each(['', '7:0 ', '(unknown) rbytes=1 wbytes=0 rios=1 wios=0'])('finds no device in %j', (stat) => {
  expect(blockDevicesV2(figuresOfText(IO_STAT, stat))).toEqual([])
})

it('gives the figures to the last of several devices on one line, as some kernels write it', () => {
  const stat = '7:1 7:0 259:0 rbytes=10 wbytes=20 rios=3 wios=4 dbytes=0 dios=0'
  expect(blockDevicesV2(figuresOfText(IO_STAT, stat))).toEqual([
    { major: 259, minor: 0, readBytes: 10, writeBytes: 20, readOps: 3, writeOps: 4 },
  ])
})

it('reads shares of time in percent and the whole in microseconds', () => {
  const text =
    'some avg10=12.34 avg60=5.00 avg300=1.09 total=5389765645\nfull avg10=0.00 avg60=0.00 avg300=0.01 total=77'
  expect(pressureV2(figuresOfText(CPU_PRESSURE, text))).toEqual({
    some: { avg10Percent: 12.34, avg60Percent: 5, avg300Percent: 1.09, totalUs: 5_389_765_645 },
    full: { avg10Percent: 0, avg60Percent: 0, avg300Percent: 0.01, totalUs: 77 },
  })
})

it('has no figure of full where the kernel does not tell it, and none at all of nothing', () => {
  expect(
    pressureV2(figuresOfText(CPU_PRESSURE, 'some avg10=0.00 avg60=0.00 avg300=0.00 total=1')),
  ).toMatchObject({ full: null })
  expect(pressureV2(figuresOfText(CPU_PRESSURE, ''))).toBeNull()
})
