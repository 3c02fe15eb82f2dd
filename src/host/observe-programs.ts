import type { Batch, OpResult } from '../engine/batch'
import { OpCode } from '../engine/native'
import { type ProgramRecord, resultPrograms } from '../engine/program-records'
import { CgroupError, errnoName, errnoText } from '../errors'
import type { ObservedPrograms } from '../plan/observed'

const EPERM = 1
const ENOENT = 2
const EINVAL = 22
const ENOSYS = 38

/** This process may not ask, or the kernel has no such programs. */
const UNREADABLE: readonly number[] = [EPERM, EINVAL, ENOSYS]

/** BPF_F_ALLOW_OVERRIDE and BPF_F_ALLOW_MULTI of linux/bpf.h. */
const ALLOW_OVERRIDE = 1
const ALLOW_MULTI = 2

/** Adds the question for the device programs of a v2 cgroup to a batch. @param path Relative to the root. */
export function askPrograms(batch: Batch, root: number, path: string): number {
  batch.nextGroup()
  batch.add(OpCode.ListDevicePrograms, root, path)
  return batch.length - 1
}

/**
 * The answer; undefined for a cgroup that is not there.
 *
 * @throws the kernel's error where there is one and its programs cannot be asked for.
 */
export function programsFrom(result: OpResult, directory: string): ObservedPrograms | undefined {
  const { errno } = result
  if (errno === ENOENT) return undefined
  if (UNREADABLE.includes(errno)) return { kind: 'unreadable', errno }
  if (errno !== 0) {
    throw new CgroupError(
      errnoName(errno),
      `cannot ask for the device programs of ${directory}: ${errnoText(errno)}`,
      { errno: -errno, syscall: 'bpf', path: directory },
    )
  }
  const records = resultPrograms(result).filter((record) => record.errno !== ENOENT)
  return {
    kind: 'programs',
    attach: attachOf(records[0]),
    programs: records.map(({ id, name, errno: unknown }) => ({ id, name: unknown === 0 ? name : null })),
  }
}

/** All programs of a cgroup are attached in one way. */
function attachOf(record: ProgramRecord | undefined): 'multi' | 'override' | 'exclusive' {
  const flags = record?.attachFlags ?? ALLOW_MULTI
  if ((flags & ALLOW_MULTI) !== 0) return 'multi'
  return (flags & ALLOW_OVERRIDE) === 0 ? 'exclusive' : 'override'
}
