import { existsSync } from 'node:fs'
import { explain, failedErrno } from './engine/explain'
import type { Hierarchy } from './host/hierarchies'
import { observe } from './host/observe'
import { isSameProcess } from './host/origins'
import { isInScope, sandboxPaths } from './plan/desired'
import { planScopeEntry } from './plan/enter-scope'
import { isEmptyPlan } from './plan/operations'
import type { ActOptions } from './sandbox-options'
import type { SandboxSession } from './sandbox-session'
import { placeOf } from './scope-place'
import { noScopeYet, scopeGone } from './session-errors'
import { inShort, knowScope } from './session-known-scope'
import type { SandboxState } from './state/state-file'
import { cgroupsOfUnit } from './systemd/scope-cgroups'

// The unit of systemd that a session's cgroups are in. A scope begins with a process and ends when it is empty, so that it
// is made when the first one comes, and what is asked of it before is only remembered. All of it is called with the lock
// held; a session without a unit is left alone.

/** What of a session is needed here. */
export type ScopedSession = Pick<
  SandboxSession,
  'host' | 'roots' | 'state' | 'paths' | 'systemdUnits' | 'save' | 'executor'
>

/**
 * Starts the unit with this process in it, or takes up the one that runs. On v2 it is in the sandbox's own cgroup below
 * the unit's when this returns; elsewhere `apply()` puts it there.
 *
 * @throws as `SystemdUnits.startScope()`; `ERR_VMCG_VERIFY` where the unit's cgroup cannot be seen.
 */
export async function startScope(session: ScopedSession, pid: number, options: ActOptions): Promise<void> {
  await resumeScope(session, options)
  const { scope } = session.state
  if (!scope) return
  const { slice, unit, description, invocationId } = scope
  const units = await session.systemdUnits(options)
  // Whoever comes after a crash knows then that there may be one.
  await session.save({ scope: { ...scope, isStarting: true } })
  const request = {
    ...{
      slice,
      unit,
      description,
      pids: firstMembers(session, pid),
      invocationId: invocationId ?? undefined,
    },
    subcgroup: ownBelowUnit(session),
  }
  const started = await units.startScope(request, options).catch(async (error: unknown) => {
    // In a time of its own, and what is thrown already says more.
    await knowScope(session, inShort()).catch(() => undefined)
    throw error
  })
  const place = placeOf(started, session.host.hierarchies)
  const isSame = started.invocationId === invocationId
  const mirror = scope.mirror === undefined || isSame ? scope.mirror : null
  const running = { ...scope, ...place, invocationId: started.invocationId, mirror }
  await session.save({ scope: { ...running, isStarting: true } })
  await enterScope(session, options)
  await session.save({ scope: { ...running, isStarting: undefined } })
}

/**
 * Goes on with a start that somebody has begun and not brought to its end: on v2 whoever is in the unit's own cgroup is in
 * the way of every limit until it is in ours.
 *
 * @throws what {@link knowScope} throws; the kernel's error where somebody cannot be moved.
 */
export async function resumeScope(session: ScopedSession, options: ActOptions): Promise<void> {
  if (session.state.scope?.isStarting !== true) return
  await knowScope(session, options)
  const { scope } = session.state
  if (scope?.isStarting !== true || !(await hasScope(session, options))) return
  await enterScope(session, options)
  await session.save({ scope: { ...scope, isStarting: undefined } })
}

/** On v2 a unit that hands controllers down takes nobody any more but into our cgroup. */
function ownBelowUnit(session: ScopedSession): string | undefined {
  const { parent, sandbox } = session.paths
  const isThereOnV2 = madeBySystemd(session).some(
    (hierarchy) => hierarchy.version === 2 && isThere(hierarchy, sandbox),
  )
  return isThereOnV2 ? sandbox.slice(parent.length) : undefined
}

/** Helpers that were added before there was a unit come with the VMM. */
function firstMembers({ state }: ScopedSession, pid: number): readonly number[] {
  if (state.scope?.invocationId !== null) return [pid]
  const others = state.processes.filter((process) => process.pid !== pid && isSameProcess(process))
  return [pid, ...others.map((process) => process.pid)]
}

/** A fork meanwhile is found by the next look. */
const MOST_LOOKS = 5

async function enterScope(session: ScopedSession, options: ActOptions): Promise<void> {
  const { host, roots } = session
  const entered = host.hierarchies.filter(
    ({ id, version, controllers }) => version === 2 && controllers.length > 0 && isInScope(session.state, id),
  )
  if (entered.length === 0) return
  await session.save({ claimed: [...new Set([...session.state.claimed, ...entered.map(({ id }) => id)])] })
  const { state } = session
  const { parent, sandbox } = sandboxPaths(state)
  const request = {
    hierarchies: entered,
    surroundings: () => [parent],
    own: () => [sandbox],
    knobs: [],
    tagAttribute: state.tagAttribute,
    pids: [],
  }
  for (let look = 1; look <= MOST_LOOKS; look += 1) {
    const observed = await observe(roots, request, options)
    const plan = planScopeEntry({ ...state, owner: state.nonce }, observed)
    if (isEmptyPlan(plan)) return
    for (const stage of plan.stages) {
      const outcomes = await session.executor()(plan, stage, options)
      const failed = outcomes.find((outcome) => failedErrno(outcome) > 0)
      if (failed !== undefined) throw explain(failed, plan, observed)
    }
  }
}

/**
 * Tells systemd of a process that comes to the others of a unit. On v2 it finds it there by itself, but a user who is not
 * root may not move a process that is outside of the units of the user's own systemd, and systemd can. On v1 it looks into
 * a hierarchy of its own, which we write nothing to. One that is there is left alone: systemd would take it out of our
 * cgroup, into the unit's.
 */
export async function joinScope(session: ScopedSession, pid: number, options: ActOptions): Promise<void> {
  const { scope } = session.state
  const isV1 = isOnV1(session)
  if (!scope || scope.invocationId === null || (!isV1 && process.geteuid?.() === 0)) return
  await requireScope(session, options)
  if (isKnownToSystemd(scope.path, pid, isV1)) return
  const units = await session.systemdUnits(options)
  await units.attachPids(scope.unit, [pid], { subcgroup: isV1 ? undefined : ownBelowUnit(session) }, options)
}

function isKnownToSystemd(path: string, pid: number, isV1: boolean): boolean {
  const inside = cgroupsOfUnit(pid, path) ?? []
  return inside.some(({ controllers }) => !isV1 || controllers.includes('name=systemd'))
}

function isOnV1({ host, state }: ScopedSession): boolean {
  return host.hierarchies.some(({ id, version }) => version === 1 && isInScope(state, id))
}

/** Whether the unit runs that was started last. systemd is asked only where the kernel does not tell. */
export async function hasScope(session: ScopedSession, options: ActOptions): Promise<boolean> {
  const { state, paths } = session
  const { scope } = state
  if (!scope || scope.invocationId === null) return false
  const made = madeBySystemd(session)
  const used = made.filter(({ id }) => state.claimed.includes(id))
  // Our own cgroup goes with the unit's: a later unit of that name is without.
  if (used.length > 0 && used.every((hierarchy) => isThere(hierarchy, paths.sandbox))) return true
  if (made.length > 0 && !made.some((hierarchy) => isThere(hierarchy, scope.path))) return false
  const units = await session.systemdUnits(options)
  const found = await units.look(scope.unit, options)
  return found?.invocationId === scope.invocationId
}

/**
 * @throws `ERR_VMCG_NOT_ATTACHED` while nobody is in the unit yet; `ERR_VMCG_VM_GONE` once it has ended; what
 *   `SystemdUnits.look()` throws.
 */
export async function requireScope(session: ScopedSession, options: ActOptions): Promise<void> {
  const { scope, id } = session.state
  if (!scope) return
  if (scope.invocationId === null) throw noScopeYet(id, scope.unit)
  if (!(await hasScope(session, options))) throw scopeGone(id, scope.unit)
}

/** What the kernel says of a cgroup that has gone, and systemd of its unit. */
const GONE: readonly string[] = ['ENOENT', 'ENODEV', 'ERR_VMCG_DBUS_CALL']

/** What a failure comes to: a unit can end in the middle of the work in it, and its cgroups with it. */
export async function orScopeGone(session: ScopedSession, error: unknown): Promise<unknown> {
  const { scope, id } = session.state
  if (!scope || !GONE.includes(String(Reflect.get(Object(error), 'code')))) return error
  const isThereStill = await hasScope(session, {}).catch(() => true)
  return isThereStill ? error : scopeGone(id, scope.unit, error)
}

/** The state to plan with: as long as there is no unit, as if all of the way to it were to be made. */
export function plannedState(session: ScopedSession): SandboxState {
  const { state } = session
  const { scope } = state
  if (!scope || madeBySystemd(session).some((hierarchy) => isThere(hierarchy, scope.path))) return state
  return { ...state, scope: { ...scope, hierarchies: [] } }
}

function madeBySystemd({ host, state }: ScopedSession): readonly Hierarchy[] {
  return host.hierarchies.filter(({ id, controllers }) => controllers.length > 0 && isInScope(state, id))
}

function isThere({ mountPoint }: Hierarchy, path: string): boolean {
  return existsSync(`${mountPoint}${path}`)
}

/** Ends the unit, once nobody is left in it. One that has ended, or is somebody's by now, is left alone. */
export async function stopScope(session: ScopedSession, options: ActOptions): Promise<void> {
  const { scope } = session.state
  if (!scope || scope.invocationId === null) return
  const units = await session.systemdUnits(options)
  await units.stop({ unit: scope.unit, invocationId: scope.invocationId }, options)
}
