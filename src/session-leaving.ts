import { type DestroyReport, drain } from './engine/drain'
import { type KillCgroupOptions, killCgroup } from './engine/kill-cgroup'
import type { SubmitOptions } from './engine/lane'
import { identifyIn } from './host/identify'
import type { Observed } from './plan/observed'
import { drainOf, type TeardownOptions } from './plan/teardown'
import { lookAtTeardown } from './sandbox-look'
import type { SandboxSession } from './sandbox-session'
import { goesOn } from './session-errors'
import type { HeldLock } from './state/lock'

// How processes and threads leave a sandbox: given back to where they came from, or killed. All of it is called with the
// lock held.

export interface SessionDestroyOptions extends SubmitOptions {
  readonly processes: 'move' | 'kill'
}

/** Gives every thread back to where it came from; the cgroups and their limits stay. */
export async function moveOut(session: SandboxSession, options: SubmitOptions): Promise<DestroyReport> {
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

/** Kills what is in our own cgroups, also what is frozen. */
export async function kill(session: SandboxSession, options: KillCgroupOptions): Promise<void> {
  // Refuses what is not ours before anybody is killed.
  await lookAtTeardown(session, options, 'leave')
  await killCgroup(session.roots, session.claimed, session.paths.sandbox, options)
}

/** Takes the sandbox's directories and its state away. */
export async function destroy(
  session: SandboxSession,
  lock: HeldLock,
  options: SessionDestroyOptions,
): Promise<DestroyReport> {
  const stranded = options.processes === 'kill' ? 'leave' : 'refuse'
  const look = () => lookAtTeardown(session, options, stranded)
  if (options.processes === 'kill') await kill(session, { signal: options.signal })
  const identify = identifyIn(session.host.hierarchies)
  const report = await drain(look, session.executor(), { ...options, identify })
  await session.removeState(lock)
  return report
}
