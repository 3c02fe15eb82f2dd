import type { BusCall } from './bus-connection'
import { hasCode, isPassing } from './bus-errors'
import type { EndedJob, ManagerConnection } from './manager-connection'
import type { ManagerLink } from './manager-link'
import type { TimeLimit } from './time-limit'
import { pauseBefore, TRIES } from './tries'
import { type JobKind, jobTimeoutError } from './unit-errors'
import { readUnit, type UnitState } from './unit-state'

/** A call that makes systemd put a job in its queue, and returns the job's path. */
export interface JobRequest {
  readonly kind: JobKind
  readonly unit: string
  readonly call: BusCall
}

/**
 * systemd tells of each job that ends. Now and then we look by ourselves: in a daemon-reexec it leaves the bus for a
 * moment, and what it says then is lost.
 */
const LOOK_EVERY_MS = 2_000

/**
 * Asks for a job and awaits its end.
 *
 * @returns systemd's result, `'done'` when all went well. Where systemd could not tell it, what is to be seen of the
 *   unit: `'done'`, `'failed'`, or `'lost'` when it is as if nobody had asked; and `'exists'` when there is one that was
 *   to be started, but not to be known whether by us.
 * @throws SystemdError `ERR_VMCG_SYSTEMD_JOB_TIMEOUT`; BusReplyError when the call is refused; as
 *   {@link ManagerLink.connection}; `signal.reason` when aborted.
 */
export async function runJob(link: ManagerLink, request: JobRequest, limit: TimeLimit): Promise<string> {
  const { kind, unit, call } = request
  const manager = await link.connection(limit)
  // Before the call: the job can have ended by the time that its path is known.
  const ended = new EndedJobs(manager, unit)
  let job: string | undefined
  try {
    job = String(await manager.bus.call(call, limit))
    return await endOf(job, ended, manager, request, limit)
  } catch (error) {
    if (job !== undefined && limit.isOverdue) throw jobTimeoutError(kind, unit, limit.timeoutMs)
    if (!hasCode(error, 'ERR_VMCG_DBUS_CLOSED')) throw error
    return await seenEnd(link, request, limit)
  } finally {
    ended.stop()
  }
}

async function endOf(
  job: string,
  ended: EndedJobs,
  manager: ManagerConnection,
  { kind, unit }: JobRequest,
  limit: TimeLimit,
): Promise<string> {
  for (;;) {
    await ended.wait(job, limit)
    const state = ended.resultOf(job) ?? (await readUnit(manager.bus, unit, limit))
    if (typeof state === 'string') return state
    // While we looked it may have been said.
    const result = ended.resultOf(job)
    if (result !== undefined) return result
    if (state?.job === undefined) return seenResult(kind, state)
  }
}

/** The connection was lost: nobody will tell us any more, and perhaps nobody was asked. */
async function seenEnd(link: ManagerLink, { kind, unit }: JobRequest, limit: TimeLimit): Promise<string> {
  for (;;) {
    const state = await lookAtUnit(link, unit, limit)
    if (state?.job === undefined)
      return kind === 'start' && state !== undefined ? 'exists' : seenResult(kind, state)
    await limit.pause(LOOK_EVERY_MS, `the job of ${unit}`)
  }
}

function seenResult(kind: JobKind, state: UnitState | undefined): string {
  const active = state?.activeState ?? 'inactive'
  if (kind === 'stop') return active === 'inactive' || active === 'failed' ? 'done' : 'lost'
  if (active === 'active') return 'done'
  return active === 'failed' ? 'failed' : 'lost'
}

/** What systemd says of a unit, asked again where the connection is lost. */
export function lookAtUnit(
  link: ManagerLink,
  unit: string,
  limit: TimeLimit,
): Promise<UnitState | undefined> {
  return askAgain(link, limit, ({ bus }) => readUnit(bus, unit, limit))
}

/** For questions, which change nothing: asked again when the connection is lost, or systemd cannot answer for the moment. */
export async function askAgain<T>(
  link: ManagerLink,
  limit: TimeLimit,
  ask: (manager: ManagerConnection) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask(await link.connection(limit))
    } catch (error) {
      const mayPass = hasCode(error, 'ERR_VMCG_DBUS_CLOSED') || isPassing(error)
      if (attempt === TRIES || !mayPass) throw error
      await pauseBefore(attempt + 1, limit, 'systemd')
    }
  }
}

/** The jobs of one unit that have ended since. */
class EndedJobs {
  readonly #manager: ManagerConnection
  readonly #results = new Map<string, string>()
  readonly #stops: readonly (() => void)[]
  #wake: () => void = () => undefined

  constructor(manager: ManagerConnection, unit: string) {
    this.#manager = manager
    this.#stops = [
      manager.onJobEnded((ended: EndedJob) => {
        if (ended.unit !== unit) return
        this.#results.set(ended.job, ended.result)
        this.#wake()
      }),
      manager.bus.onEnd(() => this.#wake()),
    ]
  }

  resultOf(job: string): string | undefined {
    return this.#results.get(job)
  }

  /** Returns when the job has ended, or the connection has, and after a while in any case. */
  async wait(job: string, limit: TimeLimit): Promise<void> {
    if (this.#results.has(job) || this.#manager.bus.failure !== undefined) return
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    await limit.pause(LOOK_EVERY_MS, `the job ${job}`, woken)
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }
}
