import { isVmcgError } from '../errors'
import type { Hierarchy } from '../host/hierarchies'
import { Batch, resultText } from './batch'
import { parseEvents, waitForEvent } from './cgroup-events'
import { cgroupFile, cgroupsBelow, fileError, idsBelow, isGone } from './cgroup-tree'
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
import { type ThreadState, threadStates } from './thread-states'

// Source of it all: kernel, Documentation/admin-guide/cgroup-v2.rst, cgroup.freeze and cgroup.events; since Linux 5.2.

/**
 * Reads whether a cgroup is frozen. Threads that were stopped by a signal or a tracer count as frozen.
 *
 * @param path Below the mount point, such as `'/kata/vm1'`; one with threaded cgroups below it is frozen with them.
 * @throws `ERR_VMCG_NO_CONTROLLER` where v2 is not mounted; `ERR_VMCG_INVALID_PATH` for the root, which cannot be
 *   frozen; `ENOENT` for a cgroup that is not there.
 */
export async function freezerState(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: SubmitOptions = {},
): Promise<FreezerState> {
  return (await look(frozenWith(roots, hierarchies, path), options)).state
}

/**
 * Stops every thread in a cgroup and below it, and waits until the kernel says that all have. When they do not in time,
 * and after an abort, the cgroup is thawed.
 *
 * @throws `ERR_VMCG_BUSY` naming the threads that do not stop; the same, before anything is written, when this very
 *   process is inside. Else as {@link freezerState}.
 */
export async function freeze(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: FreezeOptions = {},
): Promise<void> {
  const cgroup = frozenWith(roots, hierarchies, path)
  await refuseOwnCgroup(cgroup, options)
  const { timeoutMs = DEFAULT_FREEZE_MS } = options
  try {
    if (await freezesWithin(cgroup, timeoutMs, options)) return
    throw doesNotFreeze(cgroup, timeoutMs, await threadsThatRunOn(cgroup, options))
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
  const cgroup = frozenWith(roots, hierarchies, path)
  await write(cgroup, 'thaw', options)
  const { signal } = options
  const wait = { timeoutMs: DEFAULT_FREEZE_MS, signal }
  const { state, above } = await look(cgroup, options)
  const isHeld = state.isSelfFreezing || above !== undefined
  if (!isHeld && (await waitForEvent(cgroup.directory, ({ isFrozen }) => !isFrozen, wait))) return
  throw staysFrozen(cgroup, state, above)
}

/**
 * Freezes for the time that something takes which is better done while nothing moves. Tries for so long, without an
 * error for what does not stop. Not for a cgroup that this process is in.
 */
export async function tryFreeze(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  ms: number,
  options: SubmitOptions,
): Promise<void> {
  await freezesWithin(frozenWith(roots, hierarchies, path), ms, options)
}

/** Thaws what {@link tryFreeze} froze, whoever else holds it: who is killed while frozen ends all the same. */
export async function release(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: SubmitOptions = {},
): Promise<void> {
  await write(frozenWith(roots, hierarchies, path), 'thaw', options)
}

const FORM = {
  ...{ file: 'cgroup.freeze', freeze: '1', thaw: '0' },
  mounted: 'cgroup v2',
  mountHint: 'mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified',
}

function frozenWith(roots: Roots, hierarchies: readonly Hierarchy[], path: string): FreezerCgroup {
  const hierarchy = hierarchies.find(({ version }) => version === 2)
  return freezerCgroup(FORM, roots, hierarchies, hierarchy, path)
}

async function freezesWithin(cgroup: FreezerCgroup, ms: number, options: SubmitOptions): Promise<boolean> {
  const { roots, hierarchy, path } = cgroup
  const { signal } = options
  const deadline = performance.now() + ms
  await write(cgroup, 'freeze', options)
  for (const each of await cgroupsBelow(roots, hierarchy, path, options)) {
    const timeoutMs = Math.max(0, deadline - performance.now())
    const wait = waitForEvent(`${hierarchy.mountPoint}${each}`, ({ isFrozen }) => isFrozen, {
      timeoutMs,
      signal,
    })
    // One below may go meanwhile; this one may not.
    if (!(await (each === path ? wait : wait.catch(unlessGone)))) return false
  }
  return becomesTrue(() => standsStill(cgroup, options), deadline, options)
}

/** Whatever is gone does not run on. */
function unlessGone(error: unknown): true {
  if (isVmcgError(error) && error.code === 'ENOENT') return true
  throw error
}

/**
 * The kernel's word is exact for a cgroup with none below it. One with others below, as a thread root is, it calls
 * frozen when they are, whatever its own threads do, or when its own are, whatever those below do: each of the two
 * overwrites the other (kernel/cgroup/freezer.c, cgroup_propagate_frozen and cgroup_update_frozen; so still in Linux
 * 6.18). There the threads themselves are looked at.
 */
async function standsStill(cgroup: FreezerCgroup, options: SubmitOptions): Promise<boolean> {
  const { roots, hierarchy, path } = cgroup
  const paths = await cgroupsBelow(roots, hierarchy, path, options)
  const batch = new Batch()
  for (const each of paths) {
    batch.nextGroup()
    batch.add(OpCode.Read, roots.id(hierarchy.mountPoint), cgroupFile(each, 'cgroup.events'))
  }
  const results = await submit(batch, options)
  const isFrozen = results.every((result) => isGone(result.errno) || parseEvents(resultText(result)).isFrozen)
  if (!isFrozen || paths.length < 2) return isFrozen
  return (await threadsThatRunOn(cgroup, options)).length === 0
}

interface FrozenLook {
  readonly state: FreezerState
  /** The directory of the nearest cgroup above that was frozen itself; undefined: none that can be seen. */
  readonly above: string | undefined
}

/** The kernel does not say that a cgroup above is frozen, so all of them are asked. */
async function look(cgroup: FreezerCgroup, options: SubmitOptions): Promise<FrozenLook> {
  const { roots, hierarchy, path, directory, file, freeze } = cgroup
  const batch = new Batch()
  batch.add(OpCode.Read, roots.id(hierarchy.mountPoint), cgroupFile(path, file))
  const nearest = askAbove(batch, cgroup, file)
  const results = await submit(batch, options)
  const [self] = results
  if (self === undefined) throw new TypeError('a batch without its results')
  if (self.errno !== 0) throw fileError('read', `${directory}/${file}`, self.errno)
  const isSelfFreezing = resultText(self).trimEnd() === freeze
  const above = nearest(results)
  const isFrozen = await standsStill(cgroup, options)
  // Frozen without a reason that can be seen: by a cgroup beyond the mount point.
  const isParentFreezing = above !== undefined || (isFrozen && !isSelfFreezing)
  const isFreezing = isSelfFreezing || isParentFreezing
  return {
    state: {
      state: isFrozen ? 'FROZEN' : isFreezing ? 'FREEZING' : 'THAWED',
      isSelfFreezing,
      isParentFreezing,
    },
    above,
  }
}

/**
 * Where a thread waits that the kernel counts as frozen: in the trap that the freezer sets, under the name of its
 * caller where the compiler has put the two together, or in vfork(2). Source: kernel/signal.c, kernel/fork.c,
 * cgroup_enter_frozen.
 */
const FROZEN_IN: readonly string[] = ['do_freezer_trap', 'get_signal', 'wait_for_vfork_done', 'kernel_clone']
/** Stopped by a signal or a tracer, which counts as frozen; or ended. */
const AT_REST: readonly string[] = ['T', 't', 'Z', 'X']

/**
 * The kernel does not name those that it could not stop, but it tells where the others sleep; unless it tells us
 * nothing of the kind, and then any sleep may be a frozen one.
 */
async function threadsThatRunOn(
  { roots, hierarchy, path }: FreezerCgroup,
  options: SubmitOptions,
): Promise<readonly ThreadState[]> {
  const tids = await idsBelow(roots, [hierarchy], path, 'tasks', options)
  const threads = await threadStates(roots, tids, options)
  const isTold = threads.some(({ waitsIn }) => waitsIn !== '')
  return threads.filter(
    ({ state, waitsIn }) =>
      !AT_REST.includes(state) && !FROZEN_IN.includes(waitsIn) && (isTold || state !== 'S'),
  )
}
