import { CgroupError } from '../errors'
import type { SubmitOptions } from './lane'
import { describeThreads, type ThreadState } from './thread-states'

/** What the kernel says of one cgroup, in the words of the freezer of v1. */
export interface FreezerState {
  /** FREEZING: some thread in it or below it has not stopped. */
  readonly state: 'THAWED' | 'FREEZING' | 'FROZEN'
  /** It was frozen itself. */
  readonly isSelfFreezing: boolean
  /** A cgroup above it was frozen, and this one with it. */
  readonly isParentFreezing: boolean
}

export interface FreezeOptions extends SubmitOptions {
  /** How long to try, in milliseconds. @default 2000 */
  readonly timeoutMs?: number | undefined
}

export const DEFAULT_FREEZE_MS = 2000

/** A cgroup's directory, and the file in it that freezes. */
export interface FreezerPlace {
  readonly directory: string
  readonly file: string
  /** What is written to the file to thaw. */
  readonly thaw: string
}

/** Whoever freezes itself can never thaw itself. */
export function ownProcessInside({ directory }: FreezerPlace, mountPoint: string): CgroupError {
  const message = `${directory}: this process (${process.pid}) is itself inside, and could not thaw it any more`
  return new CgroupError('ERR_VMCG_BUSY', message, {
    path: directory,
    value: String(process.pid),
    hint: `move it out first: echo ${process.pid} > ${mountPoint}/cgroup.procs`,
  })
}

/** @param threads those that are in the way. */
export function doesNotFreeze(
  { directory, file }: FreezerPlace,
  ms: number,
  threads: readonly ThreadState[],
): CgroupError {
  const who = threads.length === 0 ? 'no thread in particular' : describeThreads(threads)
  return new CgroupError(
    'ERR_VMCG_BUSY',
    `${directory} does not freeze within ${ms} ms and is thawed again: ${who}`,
    {
      path: `${directory}/${file}`,
      value: threads.map(({ tid }) => tid).join(' '),
      hint: `cat /proc/${threads[0]?.tid ?? '<tid>'}/stack`,
    },
  )
}

/** @param above the directory of the cgroup that holds it; undefined: none that can be seen. */
export function staysFrozen(
  { directory, file, thaw }: FreezerPlace,
  { state, isParentFreezing }: FreezerState,
  above: string | undefined,
): CgroupError {
  const details = { path: `${directory}/${file}`, value: state }
  if (!isParentFreezing) {
    return new CgroupError('ERR_VMCG_BUSY', `${directory} was frozen again by somebody else`, details)
  }
  if (above === undefined) {
    const message = `${directory} stays frozen: so is a cgroup above it, outside of what can be seen here`
    return new CgroupError('ERR_VMCG_BUSY', message, details)
  }
  const message = `${directory} stays frozen as long as ${above} above it is frozen`
  return new CgroupError('ERR_VMCG_BUSY', message, { ...details, hint: `echo ${thaw} > ${above}/${file}` })
}
