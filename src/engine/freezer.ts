import type { Hierarchy } from '../host/hierarchies'
import type { FreezeOptions, FreezerState } from './freezer-state'
import * as v1 from './freezer-v1'
import * as v2 from './freezer-v2'
import type { Roots, SubmitOptions } from './lane'

export type { FreezeOptions, FreezerState } from './freezer-state'

/**
 * The freezer of v1 where it is mounted, even beside v2: that is where processes are then. Else v2, which always has
 * one.
 */
function freezerOf(hierarchies: readonly Hierarchy[]): typeof v1 | typeof v2 {
  const hasV2 = hierarchies.some(({ version }) => version === 2)
  return v1.freezerHierarchy(hierarchies) === undefined && hasV2 ? v2 : v1
}

/** True where {@link freeze} can be asked. */
export function hasFreezer(hierarchies: readonly Hierarchy[]): boolean {
  return v1.freezerHierarchy(hierarchies) !== undefined || hierarchies.some(({ version }) => version === 2)
}

/**
 * Reads whether a cgroup is frozen, in the words of v1 on both versions.
 *
 * @param path Below the mount point, such as `'/kata/vm1'`.
 * @throws `ERR_VMCG_NO_CONTROLLER` where neither the freezer of v1 nor v2 is mounted; `ERR_VMCG_INVALID_PATH` for the
 *   root, which cannot be frozen; `ENOENT` for a cgroup that is not there.
 */
export function freezerState(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options?: SubmitOptions,
): Promise<FreezerState> {
  return freezerOf(hierarchies).freezerState(roots, hierarchies, path, options)
}

/**
 * Stops every thread in a cgroup and below it, and waits until it has. When that takes too long, and after an abort,
 * the cgroup is thawed.
 *
 * @throws `ERR_VMCG_BUSY` naming the threads that do not stop; the same, before anything is written, when this very
 *   process is inside. Else as {@link freezerState}.
 */
export function freeze(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options?: FreezeOptions,
): Promise<void> {
  return freezerOf(hierarchies).freeze(roots, hierarchies, path, options)
}

/**
 * Lets a cgroup go on; does no harm where it was not frozen.
 *
 * @throws `ERR_VMCG_BUSY` naming the cgroup above it that holds it frozen, or when somebody else froze it again. Else
 *   as {@link freezerState}.
 */
export function thaw(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options?: SubmitOptions,
): Promise<void> {
  return freezerOf(hierarchies).thaw(roots, hierarchies, path, options)
}

/**
 * Freezes for the time that something takes which is better done while nothing moves. Tries for so long, without an
 * error for what does not stop. Not for a cgroup that this process is in.
 */
export function tryFreeze(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  ms: number,
  options: SubmitOptions,
): Promise<void> {
  return freezerOf(hierarchies).tryFreeze(roots, hierarchies, path, ms, options)
}

/**
 * Thaws what {@link tryFreeze} froze. On v1 who was killed meanwhile ends only now, so there it fails as {@link thaw}
 * does when a cgroup above holds this one frozen; v2 lets the killed end, and this does not ask.
 */
export function release(roots: Roots, hierarchies: readonly Hierarchy[], path: string): Promise<void> {
  const freezer = freezerOf(hierarchies)
  return freezer === v2 ? v2.release(roots, hierarchies, path) : v1.thaw(roots, hierarchies, path)
}
