/** How far the CPU quota of a cgroup held it back. Source: kernel, Documentation/scheduler/sched-bwc.rst, cpu.stat. */
export interface ThrottlingStats {
  /** Periods in which a thread wanted to run. */
  readonly periods: number
  /** How many of them ended with the quota used up. */
  readonly throttledPeriods: number
  /** How long threads have been held back, summed over CPUs. */
  readonly throttledUs: number
  /** Periods that used saved-up time; null where the kernel has no burst (before Linux 5.14). */
  readonly bursts: number | null
  /** Time used beyond the quota in those periods, summed over CPUs; null as before. */
  readonly burstUs: number | null
}

/** CPU time since the cgroup was made, of everything below it as well. */
export interface CpuStats {
  readonly usageUs: number
  /** In steps of 10 ms on v1. */
  readonly userUs: number
  /** In steps of 10 ms on v1. */
  readonly systemUs: number
  /** By CPU number, as far as CPUs can ever be plugged in; null on v2, which does not divide it. */
  readonly perCpuUs: readonly number[] | null
}

/** A counter of bytes with a limit. */
export interface ByteCounterStats {
  readonly usageBytes: number
  /** The most that it ever was; null where the kernel does not remember it. */
  readonly maxUsageBytes: number | null
  /** null: no limit. */
  readonly limitBytes: number | null
  /** How often the limit was run into; null where the kernel does not count it. */
  readonly failures: number | null
}

/** The parts of what is charged to a cgroup and everything below it. */
export interface MemoryParts {
  readonly cacheBytes: number
  readonly rssBytes: number
  readonly rssHugeBytes: number
  /** null on kernels that do not tell it. */
  readonly shmemBytes: number | null
  readonly mappedFileBytes: number
  readonly dirtyBytes: number
  readonly writebackBytes: number
  /** null where swap is not accounted. */
  readonly swapBytes: number | null
  readonly inactiveAnonBytes: number
  readonly activeAnonBytes: number
  readonly inactiveFileBytes: number
  readonly activeFileBytes: number
  readonly unevictableBytes: number
  readonly pageFaults: number
  readonly majorPageFaults: number
}

export interface MemoryStats extends ByteCounterStats {
  /**
   * Memory and swap counted together; null where the kernel does not account swap. v2 has a counter for each: usage and
   * limit are their sums there, and the other two null.
   */
  readonly withSwap: ByteCounterStats | null
  /** Swap alone; null on v1, which has no counter for it, and where the kernel does not account swap. */
  readonly swap: ByteCounterStats | null
  /** Processes that the kernel killed for want of memory, of this cgroup itself; null where it does not count them. */
  readonly oomKills: number | null
  /** What the memory is used for; includes the cgroups below. */
  readonly parts: MemoryParts
}

/**
 * How often something happened to the memory of a cgroup or of one below it; 0 where the kernel does not count it.
 *
 * Source: kernel, Documentation/admin-guide/cgroup-v2.rst, memory.events.
 */
export interface MemoryEvents {
  /** Memory was taken away below the protection of `memory.low`. */
  readonly low: number
  /** Threads were slowed down at `memory.high`. */
  readonly high: number
  /** Memory was about to go over `memory.max`. */
  readonly max: number
  /** An allocation was about to fail for it. */
  readonly oom: number
  /** Processes that were killed for it. */
  readonly oomKill: number
  /** Times that a whole cgroup was killed for it. */
  readonly oomGroupKill: number
}

/** How much of the time threads waited, and how long so far. Source: kernel, Documentation/accounting/psi.rst. */
export interface Stall {
  /** Share of the last 10, 60 and 300 seconds, in percent. */
  readonly avg10Percent: number
  readonly avg60Percent: number
  readonly avg300Percent: number
  /** Since the cgroup was made. */
  readonly totalUs: number
}

export interface ResourcePressure {
  /** Some thread waited. */
  readonly some: Stall
  /**
   * None of those that had something to do got anywhere; null where the kernel does not tell it (cpu before Linux
   * 5.13).
   */
  readonly full: Stall | null
}

/**
 * What threads of a cgroup, or of one below it, had to wait for. A member is null where the kernel does not watch it.
 */
export interface PressureStats {
  readonly cpu: ResourcePressure | null
  readonly memory: ResourcePressure | null
  readonly io: ResourcePressure | null
}

export interface PidsStats {
  readonly current: number
  /** null: no limit. */
  readonly limit: number | null
}

/** What a cgroup and everything below it moved to and from one block device. */
export interface BlockDeviceStats {
  readonly major: number
  readonly minor: number
  readonly readBytes: number
  readonly writeBytes: number
  readonly readOps: number
  readonly writeOps: number
}

/**
 * What a cgroup uses; the same shape and units on v1 and v2. A member is null where its controller is not mounted or
 * not enabled for the cgroup, and where the cgroup is not there.
 */
export interface CgroupStats {
  readonly cpu: CpuStats | null
  readonly throttling: ThrottlingStats | null
  readonly memory: MemoryStats | null
  /** null on v1. */
  readonly memoryEvents: MemoryEvents | null
  readonly pids: PidsStats | null
  readonly blkio: readonly BlockDeviceStats[] | null
  /** By size of the huge pages, such as `'2MB'`. */
  readonly hugetlb: Readonly<Record<string, ByteCounterStats>> | null
  /** null on v1, and where the kernel was told not to watch it (`psi=0`, or 0 in `cgroup.pressure`). */
  readonly pressure: PressureStats | null
}
