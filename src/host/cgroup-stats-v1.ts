import type { FigureFile } from '../engine/meter'
import type { BlockDeviceStats, ByteCounterStats, CgroupStats, CpuStats, MemoryStats } from './cgroup-figures'
import { byteLimitOf, type FiguresOf, limitOf, numberOf, numbersFile, orNull } from './figure-file'
import {
  blockDevicesV1,
  CPU_STAT,
  CPUACCT_PER_CPU,
  CPUACCT_STAT,
  CPUACCT_USAGE,
  cpuStatsV1,
  IO_BYTES,
  IO_BYTES_RECURSIVE,
  IO_OPS,
  IO_OPS_RECURSIVE,
  MEMORY_STAT,
  memoryPartsV1,
  OOM_CONTROL,
  oomKillsV1,
  throttlingV1,
} from './stat-files-v1'
import { type GroupedFile, grouped } from './stats-groups'

const BYTE_COUNTER = ['usage_in_bytes', 'max_usage_in_bytes', 'limit_in_bytes', 'failcnt']
const FILES: ReadonlyMap<string, readonly GroupedFile[]> = new Map([
  ['cpu', grouped('cpu', [CPU_STAT])],
  ['cpuacct', grouped('cpu', [CPUACCT_USAGE, CPUACCT_STAT, CPUACCT_PER_CPU])],
  [
    'memory',
    grouped('memory', [
      ...byteCounterFiles('memory'),
      ...byteCounterFiles('memory.memsw'),
      OOM_CONTROL,
      MEMORY_STAT,
    ]),
  ],
  ['pids', grouped('pids', [numbersFile('pids.current'), numbersFile('pids.max')])],
  ['blkio', grouped('io', [IO_BYTES, IO_BYTES_RECURSIVE, IO_OPS, IO_OPS_RECURSIVE])],
])

/** The files that the figures of a v1 hierarchy with these controllers are in. */
export function filesV1(
  controllers: readonly string[],
  pageSizes: readonly string[],
): readonly GroupedFile[] {
  return controllers.flatMap((controller) =>
    controller === 'hugetlb'
      ? grouped(
          'hugetlb',
          pageSizes.flatMap((size) => byteCounterFiles(`hugetlb.${size}`)),
        )
      : (FILES.get(controller) ?? []),
  )
}

function byteCounterFiles(prefix: string): readonly FigureFile[] {
  return BYTE_COUNTER.map((file) => numbersFile(`${prefix}.${file}`))
}

/** The figures of a cgroup, from the files of all v1 hierarchies together. */
export function figuresV1(of: FiguresOf, pageSizes: readonly string[]): CgroupStats {
  const cpuStat = of('cpu.stat')
  const pids = of('pids.current')
  return {
    cpu: cpuStats(of),
    throttling: cpuStat === undefined ? null : throttlingV1(cpuStat),
    memory: memoryStats(of),
    memoryEvents: null,
    pids: pids === undefined ? null : { current: numberOf(pids), limit: limitOf(of('pids.max')?.[1]) },
    blkio: blkioStats(of),
    hugetlb: hugetlbStats(of, pageSizes),
    pressure: null,
  }
}

function cpuStats(of: FiguresOf): CpuStats | null {
  const [usage, stat, perCpu] = [of('cpuacct.usage'), of('cpuacct.stat'), of('cpuacct.usage_percpu')]
  if (usage === undefined || stat === undefined || perCpu === undefined) return null
  return cpuStatsV1(usage, stat, perCpu)
}

function byteCounter(of: FiguresOf, prefix: string): ByteCounterStats | null {
  const usage = of(`${prefix}.usage_in_bytes`)
  const maxUsage = of(`${prefix}.max_usage_in_bytes`)
  const limit = of(`${prefix}.limit_in_bytes`)
  if (usage === undefined || maxUsage === undefined || limit === undefined) return null
  return {
    usageBytes: numberOf(usage),
    maxUsageBytes: orNull(maxUsage[1]),
    limitBytes: byteLimitOf(limit[1]),
    failures: numberOf(of(`${prefix}.failcnt`)),
  }
}

function memoryStats(of: FiguresOf): MemoryStats | null {
  const counter = byteCounter(of, 'memory')
  const stat = of('memory.stat')
  if (counter === null || stat === undefined) return null
  return {
    ...counter,
    withSwap: byteCounter(of, 'memory.memsw'),
    swap: null,
    oomKills: oomKillsV1(of('memory.oom_control')),
    parts: memoryPartsV1(stat),
  }
}

/** The recursive figures where the kernel has them, as everything else here counts what is below too. */
function blkioStats(of: FiguresOf): readonly BlockDeviceStats[] | null {
  const bytes = of(IO_BYTES_RECURSIVE.file) ?? of(IO_BYTES.file)
  const ops = of(IO_OPS_RECURSIVE.file) ?? of(IO_OPS.file)
  return bytes === undefined || ops === undefined ? null : blockDevicesV1(bytes, ops)
}

function hugetlbStats(of: FiguresOf, pageSizes: readonly string[]): CgroupStats['hugetlb'] {
  const bySize = pageSizes.flatMap((size) => {
    const counter = byteCounter(of, `hugetlb.${size}`)
    return counter === null ? [] : [[size, counter] as const]
  })
  return bySize.length === 0 ? null : Object.fromEntries(bySize)
}
