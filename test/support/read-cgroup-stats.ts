import type { Roots } from '../../src/engine/lane'
import type { MeterReading } from '../../src/engine/meter'
import type { CgroupStats } from '../../src/host/cgroup-figures'
import type { Hierarchy } from '../../src/host/hierarchies'
import type { RolesStats, SandboxStats } from '../../src/host/stats'
import { groupBits } from '../../src/host/stats-groups'
import { StatsMeter } from '../../src/host/stats-meter'
import { readStats, settledValue } from '../../src/read-stats'

/** The figures of one cgroup, with descriptors that are closed again. */
export async function readCgroupStats(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: { readonly hugePageSizes?: readonly string[] } = {},
): Promise<CgroupStats> {
  const meter = new StatsMeter(roots, {
    paths: { sandbox: path, vcpu: path },
    hierarchies,
    pageSizes: options.hugePageSizes,
  })
  return readOnce(meter, (reading) => meter.cgroupStats(reading))
}

/** The figures of the roles of a sandbox at `path`, all of whose hierarchies are one. */
export async function readRoles(
  roots: Roots,
  cpu: Hierarchy,
  path: string,
): Promise<RolesStats & Pick<SandboxStats, 'threads'>> {
  const meter = new StatsMeter(roots, {
    paths: { sandbox: path, vcpu: `${path}/vcpu` },
    hierarchies: [],
    roles: { cpu, cpuacct: undefined },
  })
  const { vcpu, emulator, threads } = await readOnce(meter, (reading) => meter.sandboxStats(reading))
  return { vcpu, emulator, threads }
}

async function readOnce<Stats>(meter: StatsMeter, stats: (reading: MeterReading) => Stats): Promise<Stats> {
  try {
    const options = { groups: groupBits(), timeoutMs: Number.POSITIVE_INFINITY }
    const { outcomes } = await readStats([() => ({ meter: meter.meter, stats })], options)
    return settledValue(outcomes[0])
  } finally {
    meter.close()
  }
}
