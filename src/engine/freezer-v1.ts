import { VmcgError } from '../errors'
import { describeHierarchies } from '../host/detect'
import type { Hierarchy } from '../host/hierarchies'
import { Batch, resultText } from './batch'
import { cgroupFile, fileError, idsBelow, requireCgroupBelowRoot } from './cgroup-tree'
import {
  DEFAULT_FREEZE_MS,
  doesNotFreeze,
  type FreezeOptions,
  type FreezerState,
  ownProcessInside,
  staysFrozen,
} from './freezer-state'
import { type Roots, type SubmitOptions, submit } from './lane'
import { OpCode } from './native'
import { pause } from './pause'
import { type ThreadState, threadStates } from './thread-states'

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
      await write(cgroup, 'THAWED', options)
      await pause(THAW_PAUSE_MS, options.signal)
    }
  } catch (error) {
    await submit(writing(cgroup, 'THAWED'))
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
  await write(cgroup, 'THAWED', options)
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

interface FreezerCgroup {
  readonly roots: Roots
  readonly hierarchy: Hierarchy
  readonly path: string
  /** Absolute. */
  readonly directory: string
  readonly file: 'freezer.state'
  readonly thaw: 'THAWED'
}

function freezerAt(roots: Roots, hierarchies: readonly Hierarchy[], path: string): FreezerCgroup {
  requireCgroupBelowRoot(path)
  const hierarchy = freezerHierarchy(hierarchies)
  if (hierarchy !== undefined) {
    const directory = `${hierarchy.mountPoint}${path}`
    return { roots, hierarchy, path, directory, file: 'freezer.state', thaw: 'THAWED' }
  }
  throw new VmcgError(
    'ERR_VMCG_NO_CONTROLLER',
    `the freezer controller is not mounted; there is: ${describeHierarchies({ hierarchies })}`,
    {
      value: 'freezer',
      hint: 'mkdir -p /sys/fs/cgroup/freezer && mount -t cgroup -o freezer cgroup /sys/fs/cgroup/freezer',
    },
  )
}

function writing({ roots, hierarchy, path }: FreezerCgroup, value: 'FROZEN' | 'THAWED'): Batch {
  const batch = new Batch()
  batch.add(OpCode.Write, roots.id(hierarchy.mountPoint), cgroupFile(path, 'freezer.state'), { value })
  return batch
}

async function write(
  cgroup: FreezerCgroup,
  value: 'FROZEN' | 'THAWED',
  options: SubmitOptions,
): Promise<void> {
  const [result] = await submit(writing(cgroup, value), options)
  const errno = result?.errno ?? 0
  if (errno !== 0) throw fileError('write', `${cgroup.directory}/freezer.state`, errno, value)
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
  await write(cgroup, 'FROZEN', options)
  for (let waitMs = FIRST_PAUSE_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_PAUSE_MS)) {
    const { state } = await look(cgroup, options)
    if (state === 'FROZEN') return true
    if (performance.now() > deadline) return false
    await pause(waitMs, options.signal)
  }
}

/** Whoever freezes itself can never thaw itself. */
async function refuseOwnCgroup(cgroup: FreezerCgroup, options: SubmitOptions): Promise<void> {
  const pids = await idsBelow(cgroup.roots, [cgroup.hierarchy], cgroup.path, 'cgroup.procs', options)
  if (!pids.includes(process.pid)) return
  throw ownProcessInside(cgroup, cgroup.hierarchy.mountPoint)
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
  await write(cgroup, 'THAWED', options)
  await pause(THAW_PAUSE_MS, options.signal)
  // Under a frozen parent all of them stay in D.
  if ((await look(cgroup, options)).state !== 'THAWED') return awake
  const seen = new Set(awake.map(({ tid }) => tid))
  const later = await threadStates(roots, tids, options)
  return [...awake, ...later.filter(({ tid, state }) => state === 'D' && !seen.has(tid))]
}

/** The directory of the nearest cgroup above that was frozen itself. */
async function frozenAbove(
  { roots, hierarchy, path }: FreezerCgroup,
  options: SubmitOptions,
): Promise<string | undefined> {
  const names = path.split('/').slice(1, -1)
  const ancestors = names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)
  const batch = new Batch()
  for (const ancestor of ancestors) {
    batch.nextGroup()
    batch.add(OpCode.Read, roots.id(hierarchy.mountPoint), cgroupFile(ancestor, 'freezer.self_freezing'))
  }
  const results = await submit(batch, options)
  const nearest = ancestors.findLast((_, index) => {
    const result = results[index]
    return result?.errno === 0 && resultText(result).trimEnd() === '1'
  })
  return nearest === undefined ? undefined : `${hierarchy.mountPoint}${nearest}`
}
