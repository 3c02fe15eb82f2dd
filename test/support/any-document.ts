import * as fc from 'fast-check'
import type { LinuxCpu, LinuxDeviceCgroup, LinuxMemory, LinuxResources } from '../../src/model/generated/oci'
import { anyCpu } from './any-resources'
import type { TableDevice } from './resource-tables'

const MIB = 2 ** 20

/** Enough for the process that waits in a container: with less the kernel kills it. */
export const documentMemory: fc.Arbitrary<LinuxMemory> = fc
  .record({
    limit: fc.constantFrom(undefined, -1, 0, 64 * MIB, 64 * MIB + 1, 1024 * MIB),
    more: fc.constantFrom(undefined, -1, 0, 1, MIB),
    others: fc.record(
      {
        reservation: fc.constantFrom(-1, 0, 16 * MIB, 16 * MIB + 4095),
        swappiness: fc.constantFrom(0, 1, 60, 100),
        disableOOMKiller: fc.boolean(),
        checkBeforeUpdate: fc.boolean(),
        useHierarchy: fc.constant(true),
        kernel: fc.constantFrom(-1, 0),
        kernelTCP: fc.constantFrom(-1, 0),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ limit, more, others }) => ({ ...others, ...limits(limit, more) }))

function limits(limit: number | undefined, more: number | undefined): { limit?: number; swap?: number } {
  if (limit === undefined) return {}
  if (more === undefined) return { limit }
  return { limit, swap: limit <= 0 || more === -1 ? -1 : limit + more }
}

const pids = fc.record({ limit: fc.constantFrom(-1, 0, 1, 100, 4_194_304) })

export function documentBlockIO(
  disks: readonly TableDevice[],
  byteRates: readonly number[],
  operationRates: readonly number[],
) {
  const throttle = (rates: readonly number[]) =>
    fc.array(
      fc
        .record({ disk: fc.constantFrom(...disks), rate: fc.constantFrom(...rates) })
        .map(({ disk, rate }) => ({ ...disk, rate })),
      { maxLength: 3 },
    )
  const bytes = throttle(byteRates)
  const operations = throttle(operationRates)
  return fc.record(
    {
      weight: fc.constantFrom(0, 10, 100, 1000),
      throttleReadBpsDevice: bytes,
      throttleWriteBpsDevice: bytes,
      throttleReadIOPSDevice: operations,
      throttleWriteIOPSDevice: operations,
    },
    { requiredKeys: [] },
  )
}

const number = fc.constantFrom(-1, 0, 1, 7, 253, 4_294_967_294)
const letters = fc.constantFrom('r', 'w', 'm', 'rw', 'wm', 'rwm')
const allowRule: fc.Arbitrary<LinuxDeviceCgroup> = fc.record({
  allow: fc.constant(true),
  type: fc.constantFrom('b', 'c'),
  major: number,
  minor: number,
  access: letters,
})
const everyDevice: fc.Arbitrary<LinuxDeviceCgroup> = fc.record({
  allow: fc.boolean(),
  type: fc.constant('a'),
  access: fc.constant('rwm'),
})

/** Each rule, and sometimes a later one that denies the same devices a part of it. */
const devices: fc.Arbitrary<LinuxDeviceCgroup[]> = fc
  .array(
    fc.record({
      rule: fc.oneof({ weight: 9, arbitrary: allowRule }, { weight: 1, arbitrary: everyDevice }),
      denied: fc.option(letters, { freq: 1, nil: undefined }),
    }),
    { maxLength: 5 },
  )
  .map((pairs) =>
    pairs.flatMap(({ rule, denied }) =>
      denied === undefined || rule.type === 'a' ? [rule] : [rule, { ...rule, allow: false, access: denied }],
    ),
  )

export interface DocumentParts {
  readonly disks: readonly TableDevice[]
  /** Such as `'0-1'`, each of which the parent cgroup has. */
  readonly cpuLists: readonly string[]
}

/** Whole `linux.resources` for a host, with every controller that hosts of cgroup v1 commonly have. */
export function anyDocument({ disks, cpuLists }: DocumentParts): fc.Arbitrary<LinuxResources> {
  const cpu = fc
    .tuple(anyCpu().filter(hasRealtimeForMany), cpuset(cpuLists))
    .map(([resources, lists]) => ({ ...resources.cpu, ...lists }))
  const blockIO = documentBlockIO(disks, [0, 1, 2 ** 20, 2 ** 40, 2 ** 53 - 1], [0, 1, 1000, 2 ** 32 - 2])
  return fc.record({ cpu, memory: documentMemory, pids, blockIO, devices }, { requiredKeys: [] })
}

/** What can be changed of a container that runs. */
export function anyUpdate(cpuLists: readonly string[]): fc.Arbitrary<LinuxResources> {
  const cpu = fc
    .tuple(anyCpu(false).filter(hasRealtimeForMany), cpuset(cpuLists))
    .map(([resources, lists]) => withoutIdle({ ...resources.cpu, ...lists }))
  const limited = documentMemory.map(({ limit, swap, reservation }) => ({
    ...(limit !== undefined && { limit }),
    ...(swap !== undefined && { swap }),
    ...(reservation !== undefined && { reservation }),
  }))
  const weight = fc.constantFrom(0, 10, 100, 1000)
  return fc.record({ cpu, memory: limited, pids, blockIO: fc.record({ weight }) }, { requiredKeys: [] })
}

/** A cgroup that is gone keeps its part of the parent's realtime until a grace period has passed. */
function hasRealtimeForMany({ cpu = {} }: LinuxResources): boolean {
  const { realtimeRuntime = 0, realtimePeriod = 1_000_000 } = cpu
  return realtimeRuntime / realtimePeriod <= 0.01
}

function withoutIdle({ idle: _, ...others }: LinuxCpu): LinuxCpu {
  return others
}

function cpuset(cpuLists: readonly string[]) {
  return fc.record(
    { cpus: fc.constantFrom('', ...cpuLists), mems: fc.constantFrom('', '0') },
    { requiredKeys: [] },
  )
}
