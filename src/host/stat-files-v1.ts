import type { FigureFile, Figures } from '../engine/meter'
import { FigureFormat } from '../engine/native'
import type { BlockDeviceStats, CpuStats, MemoryParts, ThrottlingStats } from './cgroup-figures'
import { deviceRows, fieldsFile, numberOf, numbersFile, orNull, orZero } from './figure-file'

/** USER_HZ is 100 on every architecture that Node runs on (include/asm-generic/param.h). */
const US_PER_TICK = 10_000
const NS_PER_US = 1000

/** Times are in ns. Source: kernel/sched/core.c, cpu_cfs_stat_show. */
export const CPU_STAT = fieldsFile('cpu.stat', [
  'nr_periods',
  'nr_throttled',
  `throttled_time/${NS_PER_US}`,
  'nr_bursts',
  `burst_time/${NS_PER_US}`,
])

export function throttlingV1(stat: Figures): ThrottlingStats {
  return {
    periods: orZero(stat[0]),
    throttledPeriods: orZero(stat[1]),
    throttledUs: orZero(stat[2]),
    bursts: orNull(stat[3]),
    burstUs: orNull(stat[4]),
  }
}

/** ns, and one for each possible CPU. Source: kernel, Documentation/admin-guide/cgroup-v1/cpuacct.rst. */
export const CPUACCT_USAGE = numbersFile('cpuacct.usage', NS_PER_US)
export const CPUACCT_PER_CPU = numbersFile('cpuacct.usage_percpu', NS_PER_US)
/** In ticks of USER_HZ. Source: as before. */
export const CPUACCT_STAT = fieldsFile('cpuacct.stat', ['user', 'system'])

export function cpuStatsV1(usage: Figures, stat: Figures, perCpu: Figures): CpuStats {
  return {
    usageUs: numberOf(usage),
    userUs: orZero(stat[0]) * US_PER_TICK,
    systemUs: orZero(stat[1]) * US_PER_TICK,
    perCpuUs: Array.from(perCpu).slice(1),
  }
}

/**
 * Those that begin with `total_` count what is below as well.
 * Source: kernel, Documentation/admin-guide/cgroup-v1/memory.rst, section 5.2.
 */
export const MEMORY_STAT = fieldsFile('memory.stat', [
  'total_cache',
  'total_rss',
  'total_rss_huge',
  'total_shmem',
  'total_mapped_file',
  'total_dirty',
  'total_writeback',
  'total_pgfault',
  'total_pgmajfault',
  'total_swap',
  'total_inactive_anon',
  'total_active_anon',
  'total_inactive_file',
  'total_active_file',
  'total_unevictable',
])

export function memoryPartsV1(stat: Figures): MemoryParts {
  return {
    cacheBytes: orZero(stat[0]),
    rssBytes: orZero(stat[1]),
    rssHugeBytes: orZero(stat[2]),
    shmemBytes: orNull(stat[3]),
    mappedFileBytes: orZero(stat[4]),
    dirtyBytes: orZero(stat[5]),
    writebackBytes: orZero(stat[6]),
    swapBytes: orNull(stat[9]),
    inactiveAnonBytes: orZero(stat[10]),
    activeAnonBytes: orZero(stat[11]),
    inactiveFileBytes: orZero(stat[12]),
    activeFileBytes: orZero(stat[13]),
    unevictableBytes: orZero(stat[14]),
    pageFaults: orZero(stat[7]),
    majorPageFaults: orZero(stat[8]),
  }
}

/** Has `oom_kill` since Linux 4.13. Source: mm/memcontrol-v1.c. */
export const OOM_CONTROL = fieldsFile('memory.oom_control', ['oom_kill'])

export function oomKillsV1(control: Figures | undefined): number | null {
  return orNull(control?.[0])
}

/**
 * Lines such as `8:0 Read 4096`, and a sum over all devices, which is left out. Those of `_recursive` count what is
 * below as well. Source: kernel, Documentation/admin-guide/cgroup-v1/blkio-controller.rst.
 */
function devicesFile(file: string): FigureFile {
  return { file, format: FigureFormat.LineDevices, fields: ['Read', 'Write'] }
}

export const IO_BYTES = devicesFile('blkio.throttle.io_service_bytes')
export const IO_BYTES_RECURSIVE = devicesFile('blkio.throttle.io_service_bytes_recursive')
export const IO_OPS = devicesFile('blkio.throttle.io_serviced')
export const IO_OPS_RECURSIVE = devicesFile('blkio.throttle.io_serviced_recursive')

/** @returns One entry for each device of either, by number. */
export function blockDevicesV1(bytes: Figures, ops: Figures): readonly BlockDeviceStats[] {
  const devices = new Map<string, BlockDeviceStats>()
  for (const { major, minor, figure } of deviceRows(bytes, 2)) {
    const moved = { readBytes: figure(0), writeBytes: figure(1), readOps: 0, writeOps: 0 }
    devices.set(`${major}:${minor}`, { major, minor, ...moved })
  }
  for (const { major, minor, figure } of deviceRows(ops, 2)) {
    const device = devices.get(`${major}:${minor}`) ?? { major, minor, readBytes: 0, writeBytes: 0 }
    devices.set(`${major}:${minor}`, { ...device, readOps: figure(0), writeOps: figure(1) })
  }
  return [...devices.values()].sort((a, b) => a.major - b.major || a.minor - b.minor)
}
