import { SystemdUnits, type SystemdUnitsOptions } from '../../src/systemd/systemd-units'
import type { FakeSystemd } from './fake-systemd'

const opened: SystemdUnits[] = []

/** The units of a systemd that a test plays. */
export async function openUnits(
  { address, procRoot }: FakeSystemd,
  options: SystemdUnitsOptions = {},
): Promise<SystemdUnits> {
  const units = await SystemdUnits.open({ addresses: [address], procRoot, ...options })
  opened.push(units)
  return units
}

export function closeUnits(): void {
  for (const units of opened.splice(0)) units.close()
}
