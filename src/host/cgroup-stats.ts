import { Batch, resultText } from '../engine/batch'
import { cgroupFile, fileError, isGone } from '../engine/cgroup-tree'
import { type Roots, type SubmitOptions, submit } from '../engine/lane'
import { OpCode } from '../engine/native'
import { CgroupError } from '../errors'
import type { Hierarchy } from './hierarchies'
import { hugePageSizes } from './huge-pages'
import {
  type BlockDeviceStats,
  type CpuStats,
  type MemoryParts,
  parseBlockDevices,
  parseByteLimit,
  parseCpuStats,
  parseMemoryParts,
  parseOomKills,
  parsePidsLimit,
  parseThrottling,
  type ThrottlingStats,
} from './stat-files-v1'

/** A counter of bytes with a limit. */
export interface ByteCounterStats {
  readonly usageBytes: number
  /** The most that it ever was. */
  readonly maxUsageBytes: number
  /** null: no limit. */
  readonly limitBytes: number | null
  /** How often the limit was run into. */
  readonly failures: number
}

export interface MemoryStats extends ByteCounterStats {
  /** Memory and swap counted together; null where the kernel does not account swap. */
  readonly withSwap: ByteCounterStats | null
  /** Processes that the kernel killed for want of memory, of this cgroup itself; null where it does not count them. */
  readonly oomKills: number | null
  /** What the memory is used for; includes the cgroups below. */
  readonly parts: MemoryParts
}

export interface PidsStats {
  readonly current: number
  /** null: no limit. */
  readonly limit: number | null
}

/** What a cgroup uses. A member is null where its controller is not on a cgroup v1 mount, or the cgroup is not there. */
export interface CgroupStats {
  readonly cpu: CpuStats | null
  readonly throttling: ThrottlingStats | null
  readonly memory: MemoryStats | null
  readonly pids: PidsStats | null
  readonly blkio: readonly BlockDeviceStats[] | null
  /** By size of the huge pages, such as `'2MB'`. */
  readonly hugetlb: Readonly<Record<string, ByteCounterStats>> | null
}

export interface CgroupStatsOptions extends SubmitOptions {
  /** Sizes of huge pages, as the kernel names them. Default: those of this host. */
  readonly hugePageSizes?: readonly string[] | undefined
}

const EOPNOTSUPP = 95

/**
 * Reads what a cgroup of v1 uses, in one batch: the figures of different controllers are as close to one moment as can
 * be. What the kernel has no figure for is null.
 *
 * @param path Below the mount points.
 * @throws `ENOENT` when the cgroup is in none of the hierarchies; the kernel's error for a file that cannot be read.
 */
export async function readCgroupStats(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: CgroupStatsOptions = {},
): Promise<CgroupStats> {
  const v1 = hierarchies.filter(({ version }) => version === 1)
  const hasHugetlb = v1.some(({ controllers }) => controllers.includes('hugetlb'))
  const pageSizes = hasHugetlb ? (options.hugePageSizes ?? hugePageSizes()) : []
  const files = v1.flatMap((hierarchy) =>
    hierarchy.controllers.flatMap((controller) =>
      filesOf(controller, pageSizes).map((file) => ({ hierarchy, file })),
    ),
  )
  const batch = new Batch()
  for (const { hierarchy, file } of files) {
    batch.nextGroup()
    batch.add(OpCode.Read, roots.id(hierarchy.mountPoint), cgroupFile(path, file))
  }
  const results = await submit(batch, options)
  const texts = new Map<string, string>()
  for (const [index, { hierarchy, file }] of files.entries()) {
    const result = results[index]
    if (result === undefined || isGone(result.errno) || result.errno === EOPNOTSUPP) continue
    if (result.errno !== 0) {
      throw fileError('read', `${hierarchy.mountPoint}${path}/${file}`, result.errno)
    }
    texts.set(file, resultText(result).trimEnd())
  }
  if (texts.size === 0 && files.length > 0) throw notThere(v1, path)
  return statsFrom((file) => texts.get(file), pageSizes)
}

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

function filesOf(controller: string, pageSizes: readonly string[]): readonly string[] {
  if (controller !== 'hugetlb') return FILES.get(controller) ?? []
  return pageSizes.flatMap((size) => BYTE_COUNTER.map((file) => `hugetlb.${size}.${file}`))
}

/** The text of a file without the newline at the end; undefined: there is none. */
type TextOf = (file: string) => string | undefined

function statsFrom(text: TextOf, pageSizes: readonly string[]): CgroupStats {
  const cpuStat = text('cpu.stat')
  return {
    cpu: cpuStats(text),
    throttling: cpuStat === undefined ? null : parseThrottling(cpuStat),
    memory: memoryStats(text),
    pids: pidsStats(text),
    blkio: blkioStats(text),
    hugetlb: hugetlbStats(text, pageSizes),
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
    oomKills: parseOomKills(text('memory.oom_control') ?? ''),
    parts: parseMemoryParts(stat),
  }
}

/** The root has a number of processes on newer kernels only, and never a limit. */
function pidsStats(text: TextOf): PidsStats | null {
  const current = text('pids.current')
  return current === undefined
    ? null
    : { current: Number(current), limit: parsePidsLimit(text('pids.max') ?? 'max') }
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

function notThere(hierarchies: readonly Hierarchy[], path: string): CgroupError {
  const directories = hierarchies.map(({ mountPoint }) => `${mountPoint}${path}`)
  return new CgroupError('ENOENT', `the cgroup ${path} is in none of the hierarchies`, {
    errno: -2,
    syscall: 'openat2',
    path: directories[0],
    hint: `ls -d ${directories.join(' ')}`,
  })
}
