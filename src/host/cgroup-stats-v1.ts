import type { BlockDeviceStats, ByteCounterStats, CgroupStats, CpuStats, MemoryStats } from './cgroup-figures'
import {
  parseBlockDevices,
  parseCpuStats,
  parseMemoryParts,
  parseOomKills,
  parseThrottling,
} from './stat-files-v1'
import { parseByteLimit, parsePids, type TextOf } from './stat-text'

const BYTE_COUNTER = ['usage_in_bytes', 'max_usage_in_bytes', 'limit_in_bytes', 'failcnt']
const FILES: ReadonlyMap<string, readonly string[]> = new Map([
  ['cpu', ['cpu.stat']],
  ['cpuacct', ['cpuacct.usage', 'cpuacct.stat', 'cpuacct.usage_percpu']],
  [
    'memory',
    [
      ...BYTE_COUNTER.flatMap((file) => [`memory.${file}`, `memory.memsw.${file}`]),
      'memory.oom_control',
      'memory.stat',
    ],
  ],
  ['pids', ['pids.current', 'pids.max']],
  [
    'blkio',
    ['io_service_bytes', 'io_serviced'].flatMap((file) => [
      `blkio.throttle.${file}`,
      `blkio.throttle.${file}_recursive`,
    ]),
  ],
])

/** The files that the figures of a v1 hierarchy with these controllers are in. */
export function filesV1(controllers: readonly string[], pageSizes: readonly string[]): readonly string[] {
  return controllers.flatMap((controller) =>
    controller === 'hugetlb'
      ? pageSizes.flatMap((size) => BYTE_COUNTER.map((file) => `hugetlb.${size}.${file}`))
      : (FILES.get(controller) ?? []),
  )
}

/** The figures of a cgroup, from the texts of all v1 hierarchies together. */
export function figuresV1(text: TextOf, pageSizes: readonly string[]): CgroupStats {
  const cpuStat = text('cpu.stat')
  return {
    cpu: cpuStats(text),
    throttling: cpuStat === undefined ? null : parseThrottling(cpuStat),
    memory: memoryStats(text),
    memoryEvents: null,
    pids: parsePids(text('pids.current'), text('pids.max')),
    blkio: blkioStats(text),
    hugetlb: hugetlbStats(text, pageSizes),
    pressure: null,
  }
}

function cpuStats(text: TextOf): CpuStats | null {
  const [usage, stat, perCpu] = ['cpuacct.usage', 'cpuacct.stat', 'cpuacct.usage_percpu'].map(text)
  if (usage === undefined || stat === undefined || perCpu === undefined) return null
  return parseCpuStats(usage, stat, perCpu)
}

function byteCounter(text: TextOf, prefix: string): ByteCounterStats | null {
  const [usage, maxUsage, limit, failures] = BYTE_COUNTER.map((file) => text(`${prefix}.${file}`))
  if (usage === undefined || maxUsage === undefined || limit === undefined) return null
  return {
    usageBytes: Number(usage),
    maxUsageBytes: Number(maxUsage),
    limitBytes: parseByteLimit(limit),
    failures: Number(failures ?? 0),
  }
}

function memoryStats(text: TextOf): MemoryStats | null {
  const counter = byteCounter(text, 'memory')
  const stat = text('memory.stat')
  if (counter === null || stat === undefined) return null
  return {
    ...counter,
    withSwap: byteCounter(text, 'memory.memsw'),
    swap: null,
    oomKills: parseOomKills(text('memory.oom_control') ?? ''),
    parts: parseMemoryParts(stat),
  }
}

/** The recursive figures where the kernel has them, as everything else here counts what is below too. */
function blkioStats(text: TextOf): readonly BlockDeviceStats[] | null {
  const either = (file: string) => text(`${file}_recursive`) ?? text(file)
  const bytes = either('blkio.throttle.io_service_bytes')
  const ops = either('blkio.throttle.io_serviced')
  return bytes === undefined || ops === undefined ? null : parseBlockDevices(bytes, ops)
}

function hugetlbStats(text: TextOf, pageSizes: readonly string[]): CgroupStats['hugetlb'] {
  const bySize = pageSizes.flatMap((size) => {
    const counter = byteCounter(text, `hugetlb.${size}`)
    return counter === null ? [] : [[size, counter] as const]
  })
  return bySize.length === 0 ? null : Object.fromEntries(bySize)
}
