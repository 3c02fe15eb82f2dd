import type { FigureFile, Figures } from '../engine/meter'
import { FigureFormat } from '../engine/native'
import type {
  BlockDeviceStats,
  CpuStats,
  MemoryEvents,
  MemoryParts,
  ResourcePressure,
  Stall,
  ThrottlingStats,
} from './cgroup-figures'
import { deviceRows, fieldsFile, limitOf, numbersFile, orNull, orZero } from './figure-file'

// All of it: kernel, Documentation/admin-guide/cgroup-v2.rst. Times are in microseconds.

/** The first three are in every cgroup, the others come with the cpu controller. */
export const CPU_STAT = fieldsFile('cpu.stat', [
  'usage_usec',
  'user_usec',
  'system_usec',
  'nr_periods',
  'nr_throttled',
  'throttled_usec',
  'nr_bursts',
  'burst_usec',
])

export function cpuStatsV2(stat: Figures): CpuStats {
  return { usageUs: orZero(stat[0]), userUs: orZero(stat[1]), systemUs: orZero(stat[2]), perCpuUs: null }
}

/** True for a `cpu.stat` of a cgroup that has the cpu controller. */
export function tellsThrottling(stat: Figures): boolean {
  return orNull(stat[3]) !== null
}

/** Zeros without the cpu controller. */
export function throttlingV2(stat: Figures): ThrottlingStats {
  return {
    periods: orZero(stat[3]),
    throttledPeriods: orZero(stat[4]),
    throttledUs: orZero(stat[5]),
    bursts: orNull(stat[6]),
    burstUs: orNull(stat[7]),
  }
}

/** A quota, or `max`, and its period. */
export const CPU_MAX = numbersFile('cpu.max')

export function cpuMaxV2(max: Figures | undefined): {
  /** null: no limit. */
  readonly quotaUs: number | null
  readonly periodUs: number
} {
  return { quotaUs: limitOf(max?.[1]), periodUs: orZero(max?.[2]) }
}

export const MEMORY_STAT = fieldsFile('memory.stat', [
  'anon',
  'file',
  'shmem',
  'file_mapped',
  'file_dirty',
  'file_writeback',
  'anon_thp',
  'inactive_anon',
  'active_anon',
  'inactive_file',
  'active_file',
  'unevictable',
  'pgfault',
  'pgmajfault',
])

/**
 * In the words of v1: `cache` and `rss` are what v2 calls `file` and `anon`.
 *
 * @param swapBytes what `memory.swap.current` says; `memory.stat` itself has no figure of it.
 */
export function memoryPartsV2(stat: Figures, swapBytes: number | null): MemoryParts {
  return {
    cacheBytes: orZero(stat[1]),
    rssBytes: orZero(stat[0]),
    rssHugeBytes: orZero(stat[6]),
    shmemBytes: orNull(stat[2]),
    mappedFileBytes: orZero(stat[3]),
    dirtyBytes: orZero(stat[4]),
    writebackBytes: orZero(stat[5]),
    swapBytes,
    inactiveAnonBytes: orZero(stat[7]),
    activeAnonBytes: orZero(stat[8]),
    inactiveFileBytes: orZero(stat[9]),
    activeFileBytes: orZero(stat[10]),
    unevictableBytes: orZero(stat[11]),
    pageFaults: orZero(stat[12]),
    majorPageFaults: orZero(stat[13]),
  }
}

/** `memory.events` or `memory.events.local`. */
export function memoryEventsFile(file: string): FigureFile {
  return fieldsFile(file, ['low', 'high', 'max', 'oom', 'oom_kill', 'oom_group_kill'])
}

export function memoryEventsV2(events: Figures): MemoryEvents {
  return {
    low: orZero(events[0]),
    high: orZero(events[1]),
    max: orZero(events[2]),
    oom: orZero(events[3]),
    oomKill: orZero(events[4]),
    oomGroupKill: orZero(events[5]),
  }
}

/** How often a limit was run into: `memory.swap.events` or `hugetlb.<size>.events`. */
export function maxEventsFile(file: string): FigureFile {
  return fieldsFile(file, ['max'])
}

/** Lines such as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`. */
export const IO_STAT: FigureFile = {
  file: 'io.stat',
  format: FigureFormat.PairDevices,
  fields: ['rbytes', 'wbytes', 'rios', 'wios'],
}

/** @returns One entry for each device, by number. */
export function blockDevicesV2(stat: Figures): readonly BlockDeviceStats[] {
  return deviceRows(stat, 4)
    .map(({ major, minor, figure }) => ({
      major,
      minor,
      readBytes: figure(0),
      writeBytes: figure(1),
      readOps: figure(2),
      writeOps: figure(3),
    }))
    .sort((a, b) => a.major - b.major || a.minor - b.minor)
}

const STALL = ['avg10', 'avg60', 'avg300', 'total']

/** `cpu.pressure`, `memory.pressure` or `io.pressure`. */
export function pressureFile(resource: string): FigureFile {
  return {
    file: `${resource}.pressure`,
    format: FigureFormat.Pairs,
    fields: ['some', 'full'].flatMap((kind) => STALL.map((name) => `${kind} ${name}`)),
  }
}

/** null where the kernel does not tell it. */
export function pressureV2(pressure: Figures | undefined): ResourcePressure | null {
  const some = pressure === undefined ? null : stallAt(pressure, 0)
  return pressure === undefined || some === null ? null : { some, full: stallAt(pressure, STALL.length) }
}

function stallAt(pressure: Figures, at: number): Stall | null {
  const totalUs = orNull(pressure[at + 3])
  if (totalUs === null) return null
  return {
    avg10Percent: orZero(pressure[at]),
    avg60Percent: orZero(pressure[at + 1]),
    avg300Percent: orZero(pressure[at + 2]),
    totalUs,
  }
}
