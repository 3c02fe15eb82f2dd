import type {
  BlockDeviceStats,
  CpuStats,
  MemoryEvents,
  MemoryParts,
  ResourcePressure,
  Stall,
  ThrottlingStats,
} from './cgroup-figures'
import { keyedNumbers, numberOrNull, parseMax } from './stat-text'

// All of it: kernel, Documentation/admin-guide/cgroup-v2.rst. Times are in microseconds.

/** The text of `cpu.stat`, which has these fields in every cgroup, with or without the cpu controller. */
export function parseCpuStats(text: string): CpuStats {
  const field = keyedNumbers(text)
  return {
    usageUs: Number(field('usage_usec') ?? 0),
    userUs: Number(field('user_usec') ?? 0),
    systemUs: Number(field('system_usec') ?? 0),
    perCpuUs: null,
  }
}

/** True for a `cpu.stat` of a cgroup that has the cpu controller. */
export function tellsThrottling(text: string): boolean {
  return keyedNumbers(text)('nr_periods') !== undefined
}

/** The fields of `cpu.stat` that come with the cpu controller; zeros without it. */
export function parseThrottling(text: string): ThrottlingStats {
  const field = keyedNumbers(text)
  return {
    periods: Number(field('nr_periods') ?? 0),
    throttledPeriods: Number(field('nr_throttled') ?? 0),
    throttledUs: Number(field('throttled_usec') ?? 0),
    bursts: numberOrNull(field('nr_bursts')),
    burstUs: numberOrNull(field('burst_usec')),
  }
}

/** The text of `cpu.max`: a quota, or `max`, and its period. */
export function parseCpuMax(text: string): {
  /** null: no limit. */
  readonly quotaUs: number | null
  readonly periodUs: number
} {
  const [quota = 'max', period] = text.split(' ')
  return { quotaUs: parseMax(quota), periodUs: Number(period ?? 0) }
}

/**
 * The text of `memory.stat`, in the words of v1: `cache` and `rss` are what v2 calls `file` and `anon`.
 *
 * @param swapBytes what `memory.swap.current` says; the file itself has no figure of it.
 */
export function parseMemoryParts(text: string, swapBytes: number | null): MemoryParts {
  const field = keyedNumbers(text)
  const number = (name: string): number => Number(field(name) ?? 0)
  return {
    cacheBytes: number('file'),
    rssBytes: number('anon'),
    rssHugeBytes: number('anon_thp'),
    shmemBytes: numberOrNull(field('shmem')),
    mappedFileBytes: number('file_mapped'),
    dirtyBytes: number('file_dirty'),
    writebackBytes: number('file_writeback'),
    swapBytes,
    inactiveAnonBytes: number('inactive_anon'),
    activeAnonBytes: number('active_anon'),
    inactiveFileBytes: number('inactive_file'),
    activeFileBytes: number('active_file'),
    unevictableBytes: number('unevictable'),
    pageFaults: number('pgfault'),
    majorPageFaults: number('pgmajfault'),
  }
}

/** The text of `memory.events` or `memory.events.local`. */
export function parseMemoryEvents(text: string): MemoryEvents {
  const field = keyedNumbers(text)
  const number = (name: string): number => Number(field(name) ?? 0)
  return {
    low: number('low'),
    high: number('high'),
    max: number('max'),
    oom: number('oom'),
    oomKill: number('oom_kill'),
    oomGroupKill: number('oom_group_kill'),
  }
}

/** How often a limit was run into, by the text of `memory.swap.events` or `hugetlb.<size>.events`. */
export function parseMaxEvents(text: string): number {
  return Number(keyedNumbers(text)('max') ?? 0)
}

/** The device that comes last, and its figures. Some kernels put devices without figures before it on the same line. */
const IO_LINE = /(\d+):(\d+)((?: [\w.]+=\S+)+)\s*$/

/**
 * The text of `io.stat`: lines such as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`.
 *
 * @returns One entry for each device, by number.
 */
export function parseIoStat(text: string): readonly BlockDeviceStats[] {
  return text
    .split('\n')
    .flatMap((line) => {
      const [, major, minor, figures] = IO_LINE.exec(line) ?? []
      if (figures === undefined) return []
      const number = (name: string) => Number(new RegExp(` ${name}=(\\d+)`).exec(figures)?.[1] ?? 0)
      return [
        {
          major: Number(major),
          minor: Number(minor),
          readBytes: number('rbytes'),
          writeBytes: number('wbytes'),
          readOps: number('rios'),
          writeOps: number('wios'),
        },
      ]
    })
    .sort((a, b) => a.major - b.major || a.minor - b.minor)
}

/** The text of `cpu.pressure`, `memory.pressure` or `io.pressure`; null for any other. */
export function parsePressure(text: string): ResourcePressure | null {
  const some = parseStall(text, 'some')
  return some === null ? null : { some, full: parseStall(text, 'full') }
}

function parseStall(text: string, kind: 'some' | 'full'): Stall | null {
  const line = text.split('\n').find((each) => each.startsWith(`${kind} `))
  if (line === undefined) return null
  const number = (name: string) => Number(new RegExp(` ${name}=([\\d.]+)`).exec(line)?.[1] ?? 0)
  return {
    avg10Percent: number('avg10'),
    avg60Percent: number('avg60'),
    avg300Percent: number('avg300'),
    totalUs: number('total'),
  }
}
