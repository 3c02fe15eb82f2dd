import type { FigureFile, Figures } from '../engine/meter'
import type { ByteCounterStats, CgroupStats, MemoryStats, PressureStats } from './cgroup-figures'
import { byteLimitOf, type FiguresOf, limitOf, numberOf, numbersFile, orNull, orZero } from './figure-file'
import {
  blockDevicesV2,
  CPU_STAT,
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
} from './stat-files-v2'
import { type GroupedFile, grouped } from './stats-groups'

/** What every cgroup has, whichever controllers are enabled for it. */
const BASE_FILES: readonly GroupedFile[] = [
  ...grouped('cpu', [CPU_STAT]),
  ...grouped('pressure', ['cpu', 'memory', 'io'].map(pressureFile)),
]
/** Those of the cgroup itself, as on v1, and before Linux 5.4 those of everything below it too. */
const EVENTS = ['events.local', 'events']
const FILES: ReadonlyMap<string, readonly GroupedFile[]> = new Map([
  [
    'memory',
    grouped('memory', [
      ...['memory', 'memory.swap'].flatMap((prefix) => byteCounterFiles(prefix, ['current', 'peak', 'max'])),
      ...EVENTS.map((file) => memoryEventsFile(`memory.${file}`)),
      maxEventsFile('memory.swap.events'),
      MEMORY_STAT,
    ]),
  ],
  ['pids', grouped('pids', [numbersFile('pids.current'), numbersFile('pids.max')])],
  ['io', grouped('io', [IO_STAT])],
])

/** The files that the figures of a v2 hierarchy with these controllers are in. */
export function filesV2(
  controllers: readonly string[],
  pageSizes: readonly string[],
): readonly GroupedFile[] {
  const ofControllers = controllers.flatMap((controller) =>
    controller === 'hugetlb'
      ? grouped('hugetlb', pageSizes.flatMap(hugetlbFiles))
      : (FILES.get(controller) ?? []),
  )
  return [...BASE_FILES, ...ofControllers]
}

function hugetlbFiles(size: string): readonly FigureFile[] {
  const prefix = `hugetlb.${size}`
  return [
    ...byteCounterFiles(prefix, ['current', 'max']),
    ...EVENTS.map((file) => maxEventsFile(`${prefix}.${file}`)),
  ]
}

function byteCounterFiles(prefix: string, files: readonly string[]): readonly FigureFile[] {
  return files.map((file) => numbersFile(`${prefix}.${file}`))
}

/** The figures of a cgroup, from its files on v2. */
export function figuresV2(of: FiguresOf, pageSizes: readonly string[]): CgroupStats {
  const [cpuStat, ioStat, memoryEvents] = [of('cpu.stat'), of('io.stat'), of('memory.events')]
  const pids = of('pids.current')
  return {
    cpu: cpuStat === undefined ? null : cpuStatsV2(cpuStat),
    throttling: cpuStat === undefined || !tellsThrottling(cpuStat) ? null : throttlingV2(cpuStat),
    memory: memoryStats(of),
    memoryEvents: memoryEvents === undefined ? null : memoryEventsV2(memoryEvents),
    pids: pids === undefined ? null : { current: numberOf(pids), limit: limitOf(of('pids.max')?.[1]) },
    blkio: ioStat === undefined ? null : blockDevicesV2(ioStat),
    hugetlb: hugetlbStats(of, pageSizes),
    pressure: pressureStats(of),
  }
}

/** Null for the root too, which has no counters. */
function byteCounter(of: FiguresOf, prefix: string, failures: number | null): ByteCounterStats | null {
  const usage = of(`${prefix}.current`)
  const limit = of(`${prefix}.max`)
  if (usage === undefined || limit === undefined) return null
  return {
    usageBytes: numberOf(usage),
    maxUsageBytes: orNull(of(`${prefix}.peak`)?.[1]),
    limitBytes: byteLimitOf(limit[1]),
    failures,
  }
}

function ownEvents(of: FiguresOf, prefix: string): Figures | undefined {
  return of(`${prefix}.events.local`) ?? of(`${prefix}.events`)
}

/** How often a limit was run into, of a file of nothing else. */
function maxEvents(events: Figures | undefined): number | null {
  return events === undefined ? null : orZero(events[0])
}

function memoryStats(of: FiguresOf): MemoryStats | null {
  const eventFigures = ownEvents(of, 'memory')
  const events = eventFigures === undefined ? null : memoryEventsV2(eventFigures)
  const counter = byteCounter(of, 'memory', events?.max ?? null)
  const stat = of('memory.stat')
  if (counter === null || stat === undefined) return null
  const swap = byteCounter(of, 'memory.swap', maxEvents(of('memory.swap.events')))
  return {
    ...counter,
    withSwap: swap && together(counter, swap),
    swap,
    oomKills: events?.oomKill ?? null,
    parts: memoryPartsV2(stat, swap?.usageBytes ?? null),
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

function hugetlbStats(of: FiguresOf, pageSizes: readonly string[]): CgroupStats['hugetlb'] {
  const bySize = pageSizes.flatMap((size) => {
    const prefix = `hugetlb.${size}`
    const counter = byteCounter(of, prefix, maxEvents(ownEvents(of, prefix)))
    return counter === null ? [] : [[size, counter] as const]
  })
  return bySize.length === 0 ? null : Object.fromEntries(bySize)
}

function pressureStats(of: FiguresOf): PressureStats | null {
  const [cpu, memory, io] = ['cpu', 'memory', 'io'].map((resource) => pressureV2(of(`${resource}.pressure`)))
  const stats = { cpu: cpu ?? null, memory: memory ?? null, io: io ?? null }
  return Object.values(stats).every((pressure) => pressure === null) ? null : stats
}
