import type { Hierarchy } from '../host/hierarchies'
import { Batch, resultText } from './batch'
import { cgroupFile, fileError, idsBelow } from './cgroup-tree'
import {
  askAbove,
  becomesTrue,
  type FreezerCgroup,
  freezerCgroup,
  refuseOwnCgroup,
  takeBack,
  write,
} from './freezer-cgroup'
import {
  DEFAULT_FREEZE_MS,
  doesNotFreeze,
  type FreezeOptions,
  type FreezerState,
  staysFrozen,
} from './freezer-state'
import { type Roots, type SubmitOptions, submit } from './lane'
import { OpCode } from './native'
import { pause } from './pause'
import { type ThreadState, threadStates } from './thread-states'

/** A FREEZING that has stuck this long is thawed and tried again. */
const TRY_MS = 100
const THAW_PAUSE_MS = 10

/** The freezer hierarchy of cgroup v1; undefined where none is mounted. */
export function freezerHierarchy(hierarchies: readonly Hierarchy[]): Hierarchy | undefined {
  return hierarchies.find(({ version, controllers }) => version === 1 && controllers.includes('freezer'))
}

/**
 * Reads whether a cgroup is frozen. The kernel turns FREEZING into FROZEN only when it is asked.
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
 * Stops every thread in a cgroup and below it, and waits until the kernel says FROZEN. A FREEZING that sticks is thawed
 * and tried again, since the second try stops what the first one cannot, such as a parent that waits in vfork(2). When
 * it cannot be stopped in time, and after an abort, the cgroup is thawed.
 *
 * @throws `ERR_VMCG_BUSY` naming the threads that do not stop; the same, before anything is written, when this very
 *   process is inside. Else as {@link freezerState}.
 *
 * Source: as there; the retry follows what runc does (opencontainers/cgroups, fs/freezer.go).
 */
export async function freeze(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: FreezeOptions = {},
): Promise<void> {
  const cgroup = freezerAt(roots, hierarchies, path)
  await refuseOwnCgroup(cgroup, options)
  const { timeoutMs = DEFAULT_FREEZE_MS } = options
  const deadline = performance.now() + timeoutMs
  try {
    for (;;) {
      const leftMs = deadline - performance.now()
      if (await freezesWithin(cgroup, Math.min(TRY_MS, leftMs), options)) return
      if (leftMs <= TRY_MS) {
        throw doesNotFreeze(cgroup, timeoutMs, await threadsThatRunOn(cgroup, options))
      }
      await write(cgroup, 'thaw', options)
      await pause(THAW_PAUSE_MS, options.signal)
    }
  } catch (error) {
    await takeBack(cgroup)
    throw error
  }
}

/**
 * Lets a cgroup go on; does no harm where it was not frozen.
 *
 * @throws `ERR_VMCG_BUSY` naming the cgroup above it that holds it frozen, or when somebody else froze it again. Else
 *   as {@link freezerState}.
 */
export async function thaw(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: SubmitOptions = {},
): Promise<void> {
  const cgroup = freezerAt(roots, hierarchies, path)
  await write(cgroup, 'thaw', options)
  const now = await look(cgroup, options)
  if (now.state === 'THAWED') return
  throw staysFrozen(cgroup, now, now.isParentFreezing ? await frozenAbove(cgroup, options) : undefined)
}

/**
 * Freezes for the time that something takes which is better done while nothing moves. Tries for so long, without a
 * retry and without an error for what does not stop. Not for a cgroup that this process is in.
 */
export async function tryFreeze(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  ms: number,
  options: SubmitOptions,
): Promise<void> {
  await freezesWithin(freezerAt(roots, hierarchies, path), ms, options)
}

const FORM = {
  ...{ file: 'freezer.state', freeze: 'FROZEN', thaw: 'THAWED' },
  mounted: 'the freezer controller',
  mountHint: 'mkdir -p /sys/fs/cgroup/freezer && mount -t cgroup -o freezer cgroup /sys/fs/cgroup/freezer',
}

function freezerAt(roots: Roots, hierarchies: readonly Hierarchy[], path: string): FreezerCgroup {
  return freezerCgroup(FORM, roots, hierarchies, freezerHierarchy(hierarchies), path)
}

async function look(cgroup: FreezerCgroup, options: SubmitOptions): Promise<FreezerState> {
  const files = ['freezer.state', 'freezer.self_freezing', 'freezer.parent_freezing']
  const batch = new Batch()
  for (const file of files) {
    batch.add(OpCode.Read, cgroup.roots.id(cgroup.hierarchy.mountPoint), cgroupFile(cgroup.path, file))
  }
  const results = await submit(batch, options)
  const [state = '', self, parent] = results.map((result, index) => {
    // What comes after a failure is not run, and is not reached here either.
    if (result.errno !== 0) throw fileError('read', `${cgroup.directory}/${files[index]}`, result.errno)
    return resultText(result).trimEnd()
  })
  if (state !== 'THAWED' && state !== 'FREEZING' && state !== 'FROZEN') {
    throw new RangeError(`${cgroup.directory}/freezer.state says ${state}`)
  }
  return { state, isSelfFreezing: self === '1', isParentFreezing: parent === '1' }
}

async function freezesWithin(cgroup: FreezerCgroup, ms: number, options: SubmitOptions): Promise<boolean> {
  const deadline = performance.now() + ms
  await write(cgroup, 'freeze', options)
  return becomesTrue(async () => (await look(cgroup, options)).state === 'FROZEN', deadline, options)
}

/**
 * Thaws, and tells who was in the way. The kernel does not name those that it could not stop, and shows the frozen as
 * `D`. So while it tries, whoever is not in `D` runs on; and who is in `D` still after the thaw was so before, in a
 * sleep that cannot be frozen.
 */
async function threadsThatRunOn(
  cgroup: FreezerCgroup,
  options: SubmitOptions,
): Promise<readonly ThreadState[]> {
  const { roots, hierarchy, path } = cgroup
  const tids = await idsBelow(roots, [hierarchy], path, 'tasks', options)
  const awake = (await threadStates(roots, tids, options)).filter(({ state }) => state !== 'D')
  await write(cgroup, 'thaw', options)
  await pause(THAW_PAUSE_MS, options.signal)
  // Under a frozen parent all of them stay in D.
  if ((await look(cgroup, options)).state !== 'THAWED') return awake
  const seen = new Set(awake.map(({ tid }) => tid))
  const later = await threadStates(roots, tids, options)
  return [...awake, ...later.filter(({ tid, state }) => state === 'D' && !seen.has(tid))]
}

/** The directory of the nearest cgroup above that was frozen itself. */
async function frozenAbove(cgroup: FreezerCgroup, options: SubmitOptions): Promise<string | undefined> {
  const batch = new Batch()
  const nearest = askAbove(batch, cgroup, 'freezer.self_freezing')
  return nearest(await submit(batch, options))
}
