import { freeze, freezerState, thaw } from './engine/freezer'
import { CgroupError, isVmcgError } from './errors'
import type { Hierarchy } from './host/hierarchies'
import { freezerOf, freezingHierarchy } from './host/sandbox-hierarchies'
import { lookAtTeardown } from './sandbox-look'
import type { ActOptions } from './sandbox-options'
import type { SandboxSession } from './sandbox-session'
import { isFrozen as frozenError, scopeGone } from './session-errors'
import { hasScope } from './session-scope'

/**
 * Stops or lets go everybody in a cgroup of ours.
 *
 * @throws `ERR_VMCG_NO_CONTROLLER` where no freezer is mounted, given to this user, or taken over; `ENOENT` where the
 *   cgroup has not been made or is there no more; `ERR_VMCG_VM_GONE` for a unit of systemd that has ended;
 *   `ERR_VMCG_FOREIGN_CGROUP` for somebody else's in its place; what `freeze` and `thaw` of the freezer throw.
 */
export async function setFrozen(
  session: SandboxSession,
  isFrozen: boolean,
  options: ActOptions,
): Promise<void> {
  const { host, roots, state, paths } = session
  const freezer = freezingHierarchy(host, state.takenOver)
  const directory = `${freezer.mountPoint}${paths.sandbox}`
  if (!state.claimed.includes(freezer.id)) {
    throw notThere(directory, 'has not been made yet', 'call add() or apply() first: they make it')
  }
  const { scope } = state
  if (scope && !(await hasScope(session, options))) throw scopeGone(state.id, scope.unit)
  const { observed } = await lookAtTeardown({ host, roots, state }, options, 'leave')
  const cgroups = observed.hierarchies.find(({ id }) => id === freezer.id)?.cgroups
  if (cgroups?.[paths.sandbox] === undefined) {
    throw notThere(
      directory,
      'is not there: it was not made yet, or somebody has removed it',
      'apply() makes it',
    )
  }
  await (isFrozen ? freeze : thaw)(roots, [freezer], paths.sandbox, options)
}

function notThere(directory: string, why: string, hint: string): CgroupError {
  return new CgroupError('ENOENT', `the cgroup ${directory} ${why}`, { errno: -2, path: directory, hint })
}

/**
 * Throws where a sandbox is frozen: on v1 the freezer is one more hierarchy, and only who is in it can be; v2 freezes
 * whoever is there. A unit that has not been started is not frozen.
 *
 * @throws `ERR_VMCG_BUSY`
 */
export async function refuseFrozen(session: SandboxSession, { signal }: ActOptions): Promise<void> {
  const { roots, state, paths } = session
  const freezer = claimedFreezer(session)
  if (freezer === undefined) return
  if (state.scope && !(await hasScope(session, { signal }))) return
  const { state: now } = await freezerState(roots, [freezer], paths.sandbox, { signal }).catch(orThawed)
  if (now !== 'THAWED') throw frozenError(state.id, `${freezer.mountPoint}${paths.sandbox}`)
}

/** Where a sandbox can be frozen as it is. */
export function claimedFreezer({ host, state }: SandboxSession): Hierarchy | undefined {
  const freezer = freezerOf(host)
  return freezer !== undefined && state.claimed.includes(freezer.id) ? freezer : undefined
}

/** What has not been made yet is not frozen. */
function orThawed(error: unknown): { readonly state: 'THAWED' } {
  if (isVmcgError(error) && error.code === 'ENOENT') return { state: 'THAWED' }
  throw error
}
