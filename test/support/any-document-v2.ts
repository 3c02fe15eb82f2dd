import * as fc from 'fast-check'
import type { LinuxMemory, LinuxResources } from '../../src/model/generated/oci'
import { type DocumentParts, documentBlockIO, documentMemory } from './any-document'

const MIB = 2 ** 20

const cpu = fc.record(
  {
    shares: fc.constantFrom(0, 2, 3, 100, 512, 1024, 100_000, 262_144),
    quota: fc.constantFrom(-1, 0, 1_000, 50_000, 400_000),
    period: fc.constantFrom(0, 1_000, 50_000, 1_000_000),
  },
  { requiredKeys: [] },
)

const unified = fc.record(
  {
    'memory.high': fc.constantFrom('max', '200M', '1073741825'),
    'memory.min': fc.constantFrom('0', '8192'),
    'memory.oom.group': fc.constantFrom('0', '1'),
    'cpu.weight': fc.constantFrom('1', '777'),
    'cpu.max': fc.constantFrom('max 50000', '800000 1000000'),
    'pids.max': fc.constantFrom('max', '500'),
    'cgroup.max.depth': fc.constantFrom('max', '5'),
  },
  { requiredKeys: [] },
)

/** What v2 has no knob for, and what one of the runtimes refuses there whatever it says. */
function withoutV1({
  swappiness: _swappiness,
  disableOOMKiller: _killer,
  useHierarchy: _hierarchy,
  kernel: _kernel,
  kernelTCP: _kernelTcp,
  ...others
}: LinuxMemory): LinuxMemory {
  return others
}

/** Whole `linux.resources` for a host of cgroup v2, but for what it has no knob for. */
export function anyDocumentV2({ disks, cpuLists }: DocumentParts): fc.Arbitrary<LinuxResources> {
  const lists = fc.record(
    { cpus: fc.constantFrom('', ...cpuLists), mems: fc.constantFrom('', '0') },
    { requiredKeys: [] },
  )
  return fc.record(
    {
      cpu: fc.tuple(cpu, lists).map(([time, places]) => ({ ...time, ...places })),
      memory: documentMemory.map(withoutV1),
      pids: fc.record({ limit: fc.constantFrom(-1, 50, 1000, 4_194_304) }),
      blockIO: documentBlockIO(disks, [0, 2, 7, MIB, 2 ** 40], [0, 2, 1000, 2 ** 32 - 2]),
      hugepageLimits: fc.uniqueArray(
        fc.record({ pageSize: fc.constantFrom('2MB', '1GB'), limit: fc.constantFrom(0, 3 * MIB, 2 ** 31) }),
        { maxLength: 2, selector: ({ pageSize }) => pageSize },
      ),
      unified,
    },
    { requiredKeys: [] },
  )
}

/** What can be changed of a container that runs: a quota always with its period, which runtimes remember. */
export function anyUpdateV2(cpuLists: readonly string[]): fc.Arbitrary<LinuxResources> {
  const bandwidth = fc.record({ quota: fc.constantFrom(1_000, 50_000, 400_000), period: fc.constant(50_000) })
  const others = fc.record(
    { shares: fc.constantFrom(2, 1024, 262_144), cpus: fc.constantFrom(...cpuLists) },
    { requiredKeys: [] },
  )
  return fc.record(
    {
      cpu: fc.tuple(bandwidth, others).map(([time, rest]) => ({ ...time, ...rest })),
      memory: fc
        .record({ limit: fc.constantFrom(64 * MIB, 1024 * MIB), more: fc.constantFrom(0, MIB, 64 * MIB) })
        .map(({ limit, more }) => ({ limit, swap: limit + more, reservation: 16 * MIB })),
      pids: fc.record({ limit: fc.constantFrom(-1, 50, 1000) }),
    },
    { requiredKeys: [] },
  )
}
