import { hasCode, isReply } from './bus-errors'
import { MANAGER } from './manager-connection'
import type { ManagerLink } from './manager-link'
import type { TimeLimit } from './time-limit'
import { UnitJobError } from './unit-errors'
import { lookAtUnit, runJob } from './unit-job'
import type { UnitState } from './unit-state'

/** A connection that is lost right after the request was sent is no reason to give up. */
const TRIES = 3

/** See SystemdUnits.stop. */
export async function stopUnit(
  link: ManagerLink,
  unit: string,
  invocationId: string,
  limit: TimeLimit,
): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    const state = await lookAtUnit(link, unit, limit)
    if (state === undefined || state.invocationId !== invocationId) return attempt > 1
    if (isOver(state)) {
      await resetFailed(link, unit, limit)
      return attempt > 1
    }
    const result = await askToStop(link, unit, limit)
    if (result === 'done') {
      await resetFailed(link, unit, limit)
      return true
    }
    if (result !== 'lost' || attempt === TRIES) throw new UnitJobError('stop', unit, result)
  }
}

export function isOver({ activeState }: UnitState): boolean {
  return activeState === 'inactive' || activeState === 'failed'
}

async function askToStop(link: ManagerLink, unit: string, limit: TimeLimit): Promise<string> {
  const call = { ...MANAGER, member: 'StopUnit', signature: 'ss', args: [unit, 'replace'], about: unit }
  try {
    return await runJob(link, { kind: 'stop', unit, call }, limit)
  } catch (error) {
    if (isReply(error, 'org.freedesktop.systemd1.NoSuchUnit')) return 'done'
    throw error
  }
}

/** Makes systemd forget that a unit has failed. One that it has forgotten already is fine. */
export async function resetFailed(link: ManagerLink, unit: string, limit: TimeLimit): Promise<void> {
  const call = { ...MANAGER, member: 'ResetFailedUnit', signature: 's', args: [unit], about: unit }
  try {
    const { bus } = await link.connection(limit)
    await bus.call(call, limit)
  } catch (error) {
    const isForgotten = isReply(error, 'org.freedesktop.systemd1.NoSuchUnit')
    // A unit that is over by CollectMode goes by itself.
    if (!isForgotten && !hasCode(error, 'ERR_VMCG_DBUS_CLOSED')) throw error
  }
}
