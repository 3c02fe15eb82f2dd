import type { BlockDeviceStats, CpuStats, MemoryParts, ThrottlingStats } from './cgroup-figures'
import { keyedNumbers, numberOrNull } from './stat-text'

/** Microseconds of a count of nanoseconds, rounded down. Through BigInt: 104 days of CPU time are beyond 2^53 ns. */
export function nanosecondsToUs(text: string): number {
  return Number(BigInt(text) / 1000n)
}

/** USER_HZ is 100 on every architecture that Node runs on (include/asm-generic/param.h). */
const US_PER_TICK = 10_000

/** The text of `cpu.stat`. Times are in ns. Source: kernel/sched/core.c, cpu_cfs_stat_show. */
export function parseThrottling(text: string): ThrottlingStats {
  const field = keyedNumbers(text)
  const burstNs = field('burst_time')
  return {
    periods: Number(field('nr_periods') ?? 0),
    throttledPeriods: Number(field('nr_throttled') ?? 0),
    throttledUs: nanosecondsToUs(field('throttled_time') ?? '0'),
    bursts: numberOrNull(field('nr_bursts')),
    burstUs: burstNs === undefined ? null : nanosecondsToUs(burstNs),
  }
}

/**
 * The texts of `cpuacct.usage` (ns), `cpuacct.stat` (ticks of USER_HZ) and `cpuacct.usage_percpu` (ns, one for each
 * possible CPU). Source: kernel, Documentation/admin-guide/cgroup-v1/cpuacct.rst.
 */
export function parseCpuStats(usage: string, stat: string, perCpu: string): CpuStats {
  const field = keyedNumbers(stat)
  return {
    usageUs: nanosecondsToUs(usage),
    userUs: Number(field('user') ?? 0) * US_PER_TICK,
    systemUs: Number(field('system') ?? 0) * US_PER_TICK,
    perCpuUs: perCpu
      .split(' ')
      .filter((word) => word !== '')
      .map(nanosecondsToUs),
  }
}

/**
 * The text of `memory.stat`: of its fields those that begin with `total_`, which count what is below as well.
 * Source: kernel, Documentation/admin-guide/cgroup-v1/memory.rst, section 5.2.
 */
export function parseMemoryParts(text: string): MemoryParts {
  const field = keyedNumbers(text)
  const total = (name: string): number => Number(field(`total_${name}`) ?? 0)
  return {
    cacheBytes: total('cache'),
    rssBytes: total('rss'),
    rssHugeBytes: total('rss_huge'),
    shmemBytes: numberOrNull(field('total_shmem')),
    mappedFileBytes: total('mapped_file'),
    dirtyBytes: total('dirty'),
    writebackBytes: total('writeback'),
    swapBytes: numberOrNull(field('total_swap')),
    inactiveAnonBytes: total('inactive_anon'),
    activeAnonBytes: total('active_anon'),
    inactiveFileBytes: total('inactive_file'),
    activeFileBytes: total('active_file'),
    unevictableBytes: total('unevictable'),
    pageFaults: total('pgfault'),
    majorPageFaults: total('pgmajfault'),
  }
}

/** The number behind `oom_kill` of `memory.oom_control`; null before Linux 4.13. Source: mm/memcontrol-v1.c. */
export function parseOomKills(text: string): number | null {
  return numberOrNull(keyedNumbers(text)('oom_kill'))
}

/**
 * The texts of `blkio.throttle.io_service_bytes` and `io_serviced`, or their `_recursive` twins: lines such as
 * `8:0 Read 4096`, and a sum over all devices, which is left out. Source: kernel,
 * Documentation/admin-guide/cgroup-v1/blkio-controller.rst.
 *
 * @returns One entry for each device, by number.
 */
export function parseBlockDevices(serviceBytes: string, serviced: string): readonly BlockDeviceStats[] {
  const [bytes, ops] = [keyedNumbers(serviceBytes), keyedNumbers(serviced)]
  const devices = new Set(`${serviceBytes}\n${serviced}`.match(/^\d+:\d+/gm) ?? [])
  return [...devices]
    .map((device) => {
      const [major = 0, minor = 0] = device.split(':').map(Number)
      return {
        major,
        minor,
        readBytes: Number(bytes(`${device} Read`) ?? 0),
        writeBytes: Number(bytes(`${device} Write`) ?? 0),
        readOps: Number(ops(`${device} Read`) ?? 0),
        writeOps: Number(ops(`${device} Write`) ?? 0),
      }
    })
    .sort((a, b) => a.major - b.major || a.minor - b.minor)
}
