import { observe } from './host/observe'
import { isSameProcess } from './host/origins'
import { isInScope } from './plan/desired'
import type { ActOptions } from './sandbox-options'
import { placeOf } from './scope-place'
import type { ScopedSession } from './session-scope'
import type { ScopeState } from './state/state-file'
import { cgroupsOfUnit } from './systemd/scope-cgroups'
import type { UnitState } from './systemd/unit-state'

/**
 * Brings what the state says of the unit up to date, before anybody in it is moved or killed: it can have ended, and
 * another one, which is none of ours, can have its name and its place. A unit whose start was not written down, since
 * the process that asked for it ended or gave up in the middle, is taken up when one of ours is in it.
 *
 * Called with the lock held.
 *
 * @throws what `SystemdUnits.open()` and `look()` throw, where the kernel does not tell.
 */
export async function knowScope(session: ScopedSession, options: ActOptions): Promise<void> {
  const { scope } = session.state
  if (!scope || (scope.invocationId === null && scope.isStarting === undefined)) return
  const known = (await hasOwnCgroup(session, options)) ? scope : await askedFor(session, scope, options)
  const claimed =
    known === undefined
      ? session.state.claimed.filter((id) => !isInScope(session.state, id))
      : session.state.claimed
  await session.save({
    claimed,
    scope: known ?? { ...scope, hierarchies: [], isStarting: undefined },
  })
}

/** How long is waited for systemd after a failure that says more than that it does not answer either. */
const SHORT_MS = 2000

export function inShort(): ActOptions {
  return { signal: AbortSignal.timeout(SHORT_MS) }
}

/** Nobody else's unit has a cgroup with our tag in it: systemd takes it away with the unit. */
async function hasOwnCgroup(
  { host, roots, state, paths }: ScopedSession,
  options: ActOptions,
): Promise<boolean> {
  const observed = await observe(
    roots,
    {
      hierarchies: host.hierarchies.filter(({ id }) => state.claimed.includes(id) && isInScope(state, id)),
      surroundings: () => [paths.sandbox],
      own: () => [],
      knobs: [],
      tagAttribute: state.tagAttribute,
      pids: [],
    },
    options,
  )
  return observed.hierarchies.some(({ cgroups }) => cgroups[paths.sandbox]?.owner === state.nonce)
}

/** @returns undefined where the unit of that name is not ours, or there is none. */
async function askedFor(
  session: ScopedSession,
  scope: ScopeState,
  options: ActOptions,
): Promise<ScopeState | undefined> {
  const units = await session.systemdUnits(options)
  const found = await units.look(scope.unit, options)
  if (found === undefined || found.invocationId === scope.invocationId) return found && scope
  return scope.isStarting === true ? takenUp(session, scope, found) : undefined
}

function takenUp(
  { host, state }: ScopedSession,
  scope: ScopeState,
  { description, controlGroup, invocationId }: UnitState,
): ScopeState | undefined {
  if (description !== scope.description) return undefined
  const inside = state.processes
    .filter((process) => isSameProcess(process))
    .map(({ pid }) => cgroupsOfUnit(pid, controlGroup) ?? [])
    .find((cgroups) => cgroups.length > 0)
  if (inside === undefined) return undefined
  const place = placeOf({ unit: scope.unit, controlGroup, cgroups: inside }, host.hierarchies)
  return { ...scope, ...place, invocationId, mirror: scope.mirror === undefined ? undefined : null }
}
