import type { ProcCgroup } from '../host/proc-cgroup'
import { hasCode, isPassing, isReply } from './bus-errors'
import { MANAGER } from './manager-connection'
import type { ManagerLink } from './manager-link'
import { cgroupsOfUnit } from './scope-cgroups'
import { type ScopeRequest, scopeProperties } from './scope-properties'
import { isOver, resetFailed } from './stop-unit'
import { TimeLimit } from './time-limit'
import { pauseBefore, TRIES } from './tries'
import { foreignUnitError, notInsideError, processGoneError, UnitJobError } from './unit-errors'
import { askAgain, lookAtUnit, runJob } from './unit-job'
import { readUnit, readUnitProcesses, type UnitState } from './unit-state'

/** A scope that runs, as systemd and the kernel see it. */
export interface StartedScope {
  readonly unit: string
  /** Tells this life of the unit from every other: keep it. */
  readonly invocationId: string
  /** As systemd has it, such as `'/system.slice/vmcg-1.scope'`. */
  readonly controlGroup: string
  /** The same in each hierarchy where systemd has made it, from /proc/<pid>/cgroup of the first process. */
  readonly cgroups: readonly ProcCgroup[]
}

/** For taking back what was begun, after the time of the operation itself is over. */
const CLEAN_UP_MS = 2_000

/** See SystemdUnits.startScope. */
export async function startScope(
  link: ManagerLink,
  request: ScopeRequest,
  limit: TimeLimit,
  procRoot?: string,
): Promise<StartedScope> {
  // Until now nobody was asked for anything, so that there is nothing to take back.
  await link.connection(limit)
  try {
    return await tryToStart(link, request, limit, procRoot)
  } catch (error) {
    if (!limit.isOver) throw error
    const late = await takeBack(link, request, procRoot)
    if (late === undefined || !limit.isOverdue) throw error
    return late
  }
}

async function tryToStart(
  link: ManagerLink,
  request: ScopeRequest,
  limit: TimeLimit,
  procRoot: string | undefined,
): Promise<StartedScope> {
  const { unit } = request
  for (let attempt = 1; ; attempt += 1) {
    checkAlive(request, procRoot)
    const isLast = attempt === TRIES
    const result = await askToStart(link, request, limit, procRoot).catch((error: unknown) => {
      if (!isLast && isPassing(error)) return 'passing'
      throw error
    })
    if (result === 'done' || result === 'exists') {
      const state = await lookAtUnit(link, unit, limit)
      const isThere = result === 'done' || (state && (await takeUp(link, request, state, limit, procRoot)))
      if (isThere) return started(request, state, procRoot)
    }
    if (isLast || !['passing', 'exists', 'lost'].includes(result)) {
      await resetFailed(link, unit, limit)
      checkAlive(request, procRoot)
      throw new UnitJobError('start', unit, result)
    }
    await pauseBefore(attempt + 1, limit, `the start of ${unit}`)
  }
}

/** @returns The job's result, or `'exists'` when there is such a unit, and perhaps not by us. */
async function askToStart(
  link: ManagerLink,
  request: ScopeRequest,
  limit: TimeLimit,
  procRoot: string | undefined,
): Promise<string> {
  const { unit } = request
  const call = {
    ...MANAGER,
    member: 'StartTransientUnit',
    signature: 'ssa(sv)a(sa(sv))',
    // Rather than replacing somebody else's job it fails.
    args: [unit, 'fail', scopeProperties(request), []],
    about: unit,
  }
  try {
    return await runJob(link, { kind: 'start', unit, call }, limit)
  } catch (error) {
    if (isReply(error, 'org.freedesktop.systemd1.UnitExists')) return 'exists'
    // What systemd says of a process that is no more is not always that.
    if (hasCode(error, 'ERR_VMCG_DBUS_CALL')) checkAlive(request, procRoot, error)
    throw error
  }
}

/** @returns Whether the unit that is there runs with our processes in it; else one may try again. */
async function takeUp(
  link: ManagerLink,
  request: ScopeRequest,
  state: UnitState,
  limit: TimeLimit,
  procRoot: string | undefined,
): Promise<boolean> {
  const { unit, pids } = request
  if (!isOurs(request, state, procRoot)) {
    const [first] = await askAgain(link, limit, ({ bus }) => readUnitProcesses(bus, unit, limit))
    throw foreignUnitError(state, first)
  }
  if (isOver(state)) {
    await resetFailed(link, unit, limit)
    return false
  }
  if (state.activeState !== 'active') return false
  const outside = pids.filter((pid) => !isInside(pid, state, procRoot))
  if (outside.length > 0) {
    const { bus } = await link.connection(limit)
    const args = [unit, request.subcgroup ?? '', outside]
    const call = { ...MANAGER, member: 'AttachProcessesToUnit', signature: 'ssau', args, about: unit }
    try {
      await bus.call(call, limit)
    } catch (error) {
      if (hasCode(error, 'ERR_VMCG_DBUS_CALL') && (await hasEnded(link, state, limit))) return false
      throw error
    }
  }
  return true
}

/** Its last process may have left it since it was looked at. */
async function hasEnded(link: ManagerLink, { unit, invocationId }: UnitState, limit: TimeLimit) {
  const now = await lookAtUnit(link, unit, limit)
  return now === undefined || isOver(now) || now.invocationId !== invocationId
}

/**
 * The invocation that we know of; or what this very request has made before, and nobody has written down: the same
 * description, and all of the processes in it, or none at all any more or yet.
 */
function isOurs({ pids, description, invocationId }: ScopeRequest, state: UnitState, procRoot?: string) {
  if (invocationId !== undefined && invocationId === state.invocationId) return true
  if (description !== state.description) return false
  return isOver(state) || state.job !== undefined || pids.every((pid) => isInside(pid, state, procRoot))
}

function isInside(pid: number, { controlGroup }: UnitState, procRoot?: string): boolean {
  const cgroups = cgroupsOfUnit(pid, controlGroup, procRoot)
  return cgroups !== undefined && cgroups.length > 0
}

function started(
  { unit, pids }: ScopeRequest,
  state: UnitState | undefined,
  procRoot: string | undefined,
): StartedScope {
  let first: readonly ProcCgroup[] | undefined
  for (const pid of pids) {
    const cgroups = cgroupsOfUnit(pid, state?.controlGroup ?? '', procRoot)
    if (cgroups === undefined) throw processGoneError(unit, pid)
    if (state === undefined) throw new UnitJobError('start', unit, 'lost')
    if (cgroups.length === 0) throw notInsideError(state, pid)
    first ??= cgroups
  }
  const { invocationId = '', controlGroup = '' } = state ?? {}
  return { unit, invocationId, controlGroup, cgroups: first ?? [] }
}

function checkAlive({ unit, pids }: ScopeRequest, procRoot: string | undefined, cause?: unknown): void {
  for (const pid of pids) {
    if (cgroupsOfUnit(pid, '', procRoot) === undefined) throw processGoneError(unit, pid, cause)
  }
}

/**
 * Cancels what was begun and waits no more, as far as that can be done in a short time. A job that was quicker has put
 * the processes in: to stop the scope would kill them.
 *
 * @returns The scope, when it runs after all.
 */
async function takeBack(
  link: ManagerLink,
  request: ScopeRequest,
  procRoot: string | undefined,
): Promise<StartedScope | undefined> {
  const limit = new TimeLimit(CLEAN_UP_MS)
  try {
    const { bus } = await link.connection(limit)
    const seen = await readUnit(bus, request.unit, limit)
    if (seen === undefined || !isOurs(request, seen, procRoot)) return undefined
    if (seen.job !== undefined) {
      const call = { ...MANAGER, member: 'CancelJob', signature: 'u', args: [seen.job.id] }
      await bus.call(call, limit).catch((error: unknown) => {
        if (!isReply(error, 'org.freedesktop.systemd1.NoSuchJob')) throw error
      })
    }
    const state = await readUnit(bus, request.unit, limit)
    return state?.activeState === 'active' ? started(request, state, procRoot) : undefined
  } catch {
    return undefined
  } finally {
    limit.end()
  }
}
