import { BusReplyError, hasCode, isPassing, isReply } from './bus-errors'
import { MANAGER } from './manager-connection'
import type { ManagerLink } from './manager-link'
import type { TimeLimit } from './time-limit'
import { pauseBefore, TRIES } from './tries'
import { UnitJobError } from './unit-errors'
import { lookAtUnit, runJob } from './unit-job'
import type { UnitState } from './unit-state'

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
    const isLast = attempt === TRIES
    const result = await askToStop(link, unit, limit).catch((error: unknown) => {
      if (!isLast && isPassing(error)) return 'passing'
      throw error
    })
    if (result === 'done') {
      await resetFailed(link, unit, limit)
      return true
    }
    if (isLast || !['passing', 'lost'].includes(result)) throw new UnitJobError('stop', unit, result)
    await pauseBefore(attempt + 1, limit, `the stop of ${unit}`)
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

/** Makes systemd forget that a unit has failed. Whatever it says to that, or has forgotten already, is fine. */
export async function resetFailed(link: ManagerLink, unit: string, limit: TimeLimit): Promise<void> {
  const call = { ...MANAGER, member: 'ResetFailedUnit', signature: 's', args: [unit], about: unit }
  try {
    const { bus } = await link.connection(limit)
    await bus.call(call, limit)
  } catch (error) {
    if (!(error instanceof BusReplyError) && !hasCode(error, 'ERR_VMCG_DBUS_CLOSED')) throw error
  }
}
