import { type DestroyReport, drain } from './engine/drain'
import { type KillCgroupOptions, killCgroup } from './engine/kill-cgroup'
import type { SubmitOptions } from './engine/lane'
import { identifyIn } from './host/identify'
import { isInScope } from './plan/desired'
import type { Observed } from './plan/observed'
import { drainOf, type TeardownOptions } from './plan/teardown'
import { lookAtTeardown } from './sandbox-look'
import type { SandboxSession } from './sandbox-session'
import { goesOn } from './session-errors'
import { inShort, knowScope } from './session-known-scope'
import { stopScope } from './session-scope'
import type { HeldLock } from './state/lock'

// How processes and threads leave a sandbox: given back to where they came from, or killed. All of it is called with the
// lock held.

export interface SessionDestroyOptions extends SubmitOptions {
  readonly processes: 'move' | 'kill'
}

/** Gives every thread back to where it came from; the cgroups and their limits stay. */
export async function moveOut(session: SandboxSession, options: SubmitOptions): Promise<DestroyReport> {
  await knowScope(session, options)
  const report = await drained(session, () => true, 'refuse', options)
  await session.save({ processes: [], threads: [] })
  return report
}

/**
 * Gives back those that this error kept from being put everywhere, and forgets them: else every call after this one
 * would fail because of them.
 */
export async function keepOut(
  session: SandboxSession,
  ids: readonly number[],
  error: unknown,
): Promise<void> {
  // What is thrown already says more than that somebody cannot be given back either.
  if (ids.length > 0 && !goesOn(error)) await release(session, ids).catch(() => undefined)
}

/** Gives processes, or single threads, back to where they came from, and forgets them. */
export async function release(session: SandboxSession, ids: readonly number[]): Promise<void> {
  const isMeant = (tid: number, { processes }: Observed) =>
    ids.includes(tid) ||
    processes.some(({ pid, threads }) => ids.includes(pid) && threads.some((thread) => thread.tid === tid))
  await knowScope(session, inShort())
  await drained(session, isMeant, 'leave', {})
  const { processes, threads } = session.state
  await session.save({
    processes: processes.filter(({ pid }) => !ids.includes(pid)),
    threads: threads.filter(({ tid }) => !ids.includes(tid)),
  })
}

async function drained(
  session: SandboxSession,
  isMeant: (tid: number, observed: Observed) => boolean,
  stranded: TeardownOptions['stranded'],
  options: SubmitOptions,
): Promise<DestroyReport> {
  const look = async () => {
    const now = await lookAtTeardown(session, options, stranded)
    return { ...now, plan: drainOf(now.plan, (tid) => isMeant(tid, now.observed)) }
  }
  return drain(look, session.executor(), { ...options, identify: identifyIn(session.host.hierarchies) })
}

/** Kills what is in our own cgroups, and in the unit that they are in, also what is frozen. */
export async function kill(session: SandboxSession, options: KillCgroupOptions): Promise<void> {
  await knowScope(session, options)
  // Refuses what is not ours before anybody is killed.
  await lookAtTeardown(session, options, 'leave')
  const { host, state, paths } = session
  const hierarchies = host.hierarchies.filter(({ id }) => state.claimed.includes(id) || isInScope(state, id))
  // What is frozen is our own cgroup, and on v1 nobody in it ends until that one is thawed.
  for (const path of state.scope ? [paths.sandbox, paths.parent] : [paths.sandbox])
    await killCgroup(session.roots, hierarchies, path, options)
}

/** Takes the sandbox's directories, its unit and its state away, in this order: systemd ends whoever is in a unit. */
export async function destroy(
  session: SandboxSession,
  lock: HeldLock,
  options: SessionDestroyOptions,
): Promise<DestroyReport> {
  const stranded = options.processes === 'kill' ? 'leave' : 'refuse'
  const look = () => lookAtTeardown(session, options, stranded)
  await knowScope(session, options)
  if (options.processes === 'kill') await kill(session, { signal: options.signal })
  const identify = identifyIn(session.host.hierarchies)
  const report = await drain(look, session.executor(), { ...options, identify })
  await stopScope(session, options)
  await session.removeState(lock)
  return report
}
