import { fileError, isGone } from '../engine/cgroup-tree'
import type { Form, FormFile, MeterReading } from '../engine/meter'
import { CgroupError } from '../errors'
import type { CgroupStats } from './cgroup-figures'
import { figuresV1, filesV1 } from './cgroup-stats-v1'
import { figuresV2, filesV2 } from './cgroup-stats-v2'
import type { Hierarchy } from './hierarchies'
import { groupBits } from './stats-groups'

/** The directory of a form that the figures of a cgroup as a whole are read from. */
export const WHOLE = 0

const EOPNOTSUPP = 95

/** The files that tell what a cgroup uses, in those of the hierarchies that tell it. */
export function wholeFiles(
  hierarchies: readonly Hierarchy[],
  pageSizes: readonly string[],
): readonly FormFile[] {
  return hierarchies.flatMap(({ version, controllers, mountPoint }) =>
    (version === 1 ? filesV1 : filesV2)(controllers, pageSizes).map(({ group, file }) => ({
      ...file,
      version,
      mountPoint,
      directory: WHOLE,
      groups: groupBits([group]),
    })),
  )
}

/**
 * What a cgroup uses. Each figure comes from the hierarchy that has its controller; CPU time, which v2 tells without
 * one, from v1 where that has it. What the kernel has no figure for is null, and so is what was not read.
 */
export function wholeStats(form: Form, reading: MeterReading, pageSizes: readonly string[]): CgroupStats {
  const v1 = figuresV1(form.figuresOf(reading, 1, WHOLE), pageSizes)
  const v2 = figuresV2(form.figuresOf(reading, 2, WHOLE), pageSizes)
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

/**
 * Refuses a reading of which the kernel denied a part. A cgroup or file that is not there is none: its figures are.
 *
 * @param paths of the form's directories, below the mount points.
 * @throws the kernel's error for a file that cannot be read.
 */
export function requireRead(form: Form, reading: MeterReading, paths: readonly string[]): void {
  // EOPNOTSUPP: accounting that the kernel was told to do without, such as pressure under psi=0.
  const denied = reading.findIndex(
    (file) => file !== undefined && file.errno !== 0 && !isGone(file.errno) && file.errno !== EOPNOTSUPP,
  )
  const file = form.files[denied]
  if (file === undefined) return
  const path = `${file.mountPoint}${paths[file.directory] ?? ''}/${file.file}`
  throw fileError('read', path, reading[denied]?.errno ?? 0)
}

/** @throws `ENOENT` when nothing of the cgroup could be read in any of the hierarchies. */
export function requirePresent(reading: MeterReading, hierarchies: readonly Hierarchy[], path: string): void {
  if (reading.length === 0 || reading.some((file) => file?.errno === 0)) return
  const directories = hierarchies.map(({ mountPoint }) => `${mountPoint}${path}`)
  throw new CgroupError('ENOENT', `the cgroup ${path} is in none of the hierarchies`, {
    errno: -2,
    syscall: 'openat2',
    path: directories[0],
    hint: `ls -d ${directories.join(' ')}`,
  })
}
