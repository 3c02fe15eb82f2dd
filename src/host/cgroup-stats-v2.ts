import type { ByteCounterStats, CgroupStats, MemoryStats, PressureStats } from './cgroup-figures'
import {
  parseCpuStats,
  parseIoStat,
  parseMaxEvents,
  parseMemoryEvents,
  parseMemoryParts,
  parsePressure,
  parseThrottling,
  tellsThrottling,
} from './stat-files-v2'
import { numberOrNull, parseByteLimit, parsePids, type TextOf } from './stat-text'

/** What every cgroup has, whichever controllers are enabled for it. */
const BASE_FILES = ['cpu.stat', 'cpu.pressure', 'memory.pressure', 'io.pressure']
const BYTE_COUNTER = ['current', 'peak', 'max']
/** Those of the cgroup itself, as on v1, and before Linux 5.4 those of everything below it too. */
const EVENTS = ['events.local', 'events']
const FILES: ReadonlyMap<string, readonly string[]> = new Map([
  [
    'memory',
    [
      ...BYTE_COUNTER.flatMap((file) => [`memory.${file}`, `memory.swap.${file}`]),
      ...EVENTS.map((file) => `memory.${file}`),
      'memory.swap.events',
      'memory.stat',
    ],
  ],
  ['pids', ['pids.current', 'pids.max']],
  ['io', ['io.stat']],
])

/** The files that the figures of a v2 hierarchy with these controllers are in. */
export function filesV2(controllers: readonly string[], pageSizes: readonly string[]): readonly string[] {
  const ofControllers = controllers.flatMap((controller) =>
    controller === 'hugetlb'
      ? pageSizes.flatMap((size) => ['current', 'max', ...EVENTS].map((file) => `hugetlb.${size}.${file}`))
      : (FILES.get(controller) ?? []),
  )
  return [...BASE_FILES, ...ofControllers]
}

/** The figures of a cgroup, from the texts of its files on v2. */
export function figuresV2(text: TextOf, pageSizes: readonly string[]): CgroupStats {
  const [cpuStat, ioStat, memoryEvents] = ['cpu.stat', 'io.stat', 'memory.events'].map(text)
  return {
    cpu: cpuStat === undefined ? null : parseCpuStats(cpuStat),
    throttling: cpuStat === undefined || !tellsThrottling(cpuStat) ? null : parseThrottling(cpuStat),
    memory: memoryStats(text),
    memoryEvents: memoryEvents === undefined ? null : parseMemoryEvents(memoryEvents),
    pids: parsePids(text('pids.current'), text('pids.max')),
    blkio: ioStat === undefined ? null : parseIoStat(ioStat),
    hugetlb: hugetlbStats(text, pageSizes),
    pressure: pressureStats(text),
  }
}

/** Null for the root too, which has no counters. */
function byteCounter(text: TextOf, prefix: string, events: string | undefined): ByteCounterStats | null {
  const [usage, maxUsage, limit] = BYTE_COUNTER.map((file) => text(`${prefix}.${file}`))
  if (usage === undefined || limit === undefined) return null
  return {
    usageBytes: Number(usage),
    maxUsageBytes: numberOrNull(maxUsage),
    limitBytes: parseByteLimit(limit),
    failures: events === undefined ? null : parseMaxEvents(events),
  }
}

function ownEvents(text: TextOf, prefix: string): string | undefined {
  return EVENTS.map((file) => text(`${prefix}.${file}`)).find((events) => events !== undefined)
}

function memoryStats(text: TextOf): MemoryStats | null {
  const events = ownEvents(text, 'memory')
  const counter = byteCounter(text, 'memory', events)
  const stat = text('memory.stat')
  if (counter === null || stat === undefined) return null
  const swap = byteCounter(text, 'memory.swap', text('memory.swap.events'))
  return {
    ...counter,
    withSwap: swap && together(counter, swap),
    swap,
    oomKills: events === undefined ? null : parseMemoryEvents(events).oomKill,
    parts: parseMemoryParts(stat, swap?.usageBytes ?? null),
  }
}

/** Two peaks need not have been at the same time, so they tell no peak of the sum. */
function together(memory: ByteCounterStats, swap: ByteCounterStats): ByteCounterStats {
  const isLimited = memory.limitBytes !== null && swap.limitBytes !== null
  return {
    usageBytes: memory.usageBytes + swap.usageBytes,
    maxUsageBytes: null,
    limitBytes: isLimited ? memory.limitBytes + swap.limitBytes : null,
    failures: null,
  }
}

function hugetlbStats(text: TextOf, pageSizes: readonly string[]): CgroupStats['hugetlb'] {
  const bySize = pageSizes.flatMap((size) => {
    const prefix = `hugetlb.${size}`
    const counter = byteCounter(text, prefix, ownEvents(text, prefix))
    return counter === null ? [] : [[size, counter] as const]
  })
  return bySize.length === 0 ? null : Object.fromEntries(bySize)
}

function pressureStats(text: TextOf): PressureStats | null {
  const of = (resource: string) => parsePressure(text(`${resource}.pressure`) ?? '')
  const stats = { cpu: of('cpu'), memory: of('memory'), io: of('io') }
  return Object.values(stats).every((pressure) => pressure === null) ? null : stats
}
