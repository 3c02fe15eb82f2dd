import { CgroupError, VmcgError } from '../errors'
import { describeHierarchies } from '../host/detect'
import type { Hierarchy } from '../host/hierarchies'
import { Batch, type OpResult, resultText } from './batch'
import { cgroupFile, fileError, idsBelow, requireCgroupBelowRoot } from './cgroup-tree'
import { type Roots, type SubmitOptions, submit } from './lane'
import { OpCode } from './native'
import { pause } from './pause'
import { describeThreads, threadStates } from './thread-states'

/** What the freezer of cgroup v1 says of one cgroup. */
export interface FreezerState {
  /** FREEZING: some thread in it or below it does not stop (yet). */
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

const DEFAULT_TIMEOUT_MS = 2000
/** A FREEZING that has stuck this long is thawed and tried again. */
const TRY_MS = 100
const THAW_PAUSE_MS = 10
const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 16

/** The freezer hierarchy of cgroup v1; undefined where none is mounted. */
export function freezerHierarchy(hierarchies: readonly Hierarchy[]): Hierarchy | undefined {
  return hierarchies.find(({ version, controllers }) => version === 1 && controllers.includes('freezer'))
}

/**
 * Reads whether a cgroup is frozen. Asking also makes the kernel look: it keeps FREEZING until somebody reads.
 *
 * @param path Below the mount point, such as `'/vc/kata_1'`.
 * @throws `ERR_VMCG_NO_CONTROLLER` where no freezer is mounted; `ERR_VMCG_INVALID_PATH` for the root, which has none;
 *   `ENOENT` for a cgroup that is not there.
 *
 * Source: kernel, Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst.
 */
export async function freezerState(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: SubmitOptions = {},
): Promise<FreezerState> {
  return look(freezerAt(roots, hierarchies, path), options)
}

/**
 * Stops every thread in a cgroup and below it, and waits until the kernel says FROZEN. Where FREEZING sticks it is
 * thawed and tried again: a parent that waits in vfork(2), for example, is stopped by the second try only. What cannot
 * be stopped in time, and an abort, leave the cgroup thawed.
 *
 * @throws `ERR_VMCG_BUSY` naming the threads that do not stop, or the cgroup above that does not, and when this very
 *   process is inside, before anything is written; else as {@link freezerState}.
 *
 * Source: as there; the retry is in opencontainers/cgroups and libvirt alike.
 */
export async function freeze(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: FreezeOptions = {},
): Promise<void> {
  const cgroup = freezerAt(roots, hierarchies, path)
  await refuseOwnCgroup(cgroup, options)
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options
  const deadline = performance.now() + timeoutMs
  try {
    for (;;) {
      const left = deadline - performance.now()
      if (await freezesWithin(cgroup, Math.min(TRY_MS, left), options)) return
      if (left <= TRY_MS) break
      await write(cgroup, 'THAWED', options)
      await pause(THAW_PAUSE_MS, options.signal)
    }
    throw await stuck(cgroup, timeoutMs, options)
  } finally {
    if ((await stateIfThere(cgroup)) === 'FREEZING') await submit(writing(cgroup, 'THAWED'))
  }
}

/**
 * Lets a cgroup go on, also when it was not frozen.
 *
 * @throws `ERR_VMCG_BUSY` naming the cgroup above it that holds it frozen, or when somebody else froze it again; else
 *   as {@link freezerState}.
 */
export async function thaw(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: SubmitOptions = {},
): Promise<void> {
  const cgroup = freezerAt(roots, hierarchies, path)
  await write(cgroup, 'THAWED', options)
  const now = await look(cgroup, options)
  if (now.state !== 'THAWED') throw await heldFrozen(cgroup, now, options)
}
