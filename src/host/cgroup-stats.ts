import { Batch, resultText } from '../engine/batch'
import { cgroupFile, fileError, isGone } from '../engine/cgroup-tree'
import { type Roots, type SubmitOptions, submit } from '../engine/lane'
import { OpCode } from '../engine/native'
import { CgroupError } from '../errors'
import type { CgroupStats } from './cgroup-figures'
import { figuresV1, filesV1 } from './cgroup-stats-v1'
import { figuresV2, filesV2 } from './cgroup-stats-v2'
import type { Hierarchy } from './hierarchies'
import { hugePageSizes } from './huge-pages'

export interface CgroupStatsOptions extends SubmitOptions {
  /** Sizes of huge pages, as the kernel names them. Default: those of this host. */
  readonly hugePageSizes?: readonly string[] | undefined
}

const EOPNOTSUPP = 95

/**
 * Reads what a cgroup uses, in one batch: the figures of different controllers are as close to one moment as can be.
 * Each comes from the hierarchy that has its controller; CPU time, which v2 tells without one, from v1 where that has
 * it. What the kernel has no figure for is null.
 *
 * @param hierarchies those that the cgroup's processes are in.
 * @param path Below the mount points.
 * @throws `ENOENT` when the cgroup is in none of the hierarchies; the kernel's error for a file that cannot be read.
 */
export async function readCgroupStats(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: CgroupStatsOptions = {},
): Promise<CgroupStats> {
  const hasHugetlb = hierarchies.some(({ controllers }) => controllers.includes('hugetlb'))
  const pageSizes = hasHugetlb ? (options.hugePageSizes ?? hugePageSizes()) : []
  const files = hierarchies.flatMap((hierarchy) =>
    (hierarchy.version === 1 ? filesV1 : filesV2)(hierarchy.controllers, pageSizes).map((file) => ({
      hierarchy,
      file,
    })),
  )
  const batch = new Batch()
  for (const { hierarchy, file } of files) {
    batch.nextGroup()
    batch.add(OpCode.Read, roots.id(hierarchy.mountPoint), cgroupFile(path, file))
  }
  const results = await submit(batch, options)
  const texts = { 1: new Map<string, string>(), 2: new Map<string, string>() }
  for (const [index, { hierarchy, file }] of files.entries()) {
    const result = results[index]
    // EOPNOTSUPP: accounting that the kernel was told to do without, such as pressure under psi=0.
    if (result === undefined || isGone(result.errno) || result.errno === EOPNOTSUPP) continue
    if (result.errno !== 0) {
      throw fileError('read', `${hierarchy.mountPoint}${path}/${file}`, result.errno)
    }
    texts[hierarchy.version].set(file, resultText(result).trimEnd())
  }
  if (texts[1].size + texts[2].size === 0 && files.length > 0) throw notThere(hierarchies, path)
  return together(
    figuresV1((file) => texts[1].get(file), pageSizes),
    figuresV2((file) => texts[2].get(file), pageSizes),
  )
}

function together(v1: CgroupStats, v2: CgroupStats): CgroupStats {
  return {
    cpu: v1.cpu ?? v2.cpu,
    throttling: v1.throttling ?? v2.throttling,
    memory: v1.memory ?? v2.memory,
    memoryEvents: v2.memoryEvents,
    pids: v1.pids ?? v2.pids,
    blkio: v1.blkio ?? v2.blkio,
    hugetlb: v1.hugetlb ?? v2.hugetlb,
    pressure: v2.pressure,
  }
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
