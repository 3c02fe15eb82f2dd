import type { MeterReading } from './engine/meter'
import type { CgroupStats } from './host/cgroup-figures'
import { groupBits } from './host/stats-groups'
import type { StatsMeter } from './host/stats-meter'
import { readStats, settledValue } from './read-stats'

/** The figures of every controller that a cgroup is in. @throws as {@link StatsMeter.cgroupStats} */
export async function readFigures(
  figures: StatsMeter,
  signal: AbortSignal | undefined,
): Promise<CgroupStats> {
  const source = () => ({
    meter: figures.meter,
    stats: (reading: MeterReading) => figures.cgroupStats(reading),
  })
  const timeoutMs = Number.POSITIVE_INFINITY
  const { outcomes } = await readStats([source], { groups: groupBits(), timeoutMs, signal })
  return settledValue(outcomes[0])
}
