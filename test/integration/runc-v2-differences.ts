import type { LinuxResources } from '../../src/model/generated/oci'
import { cpuSharesToWeight } from '../../src/model/resources/conversions-v2'
import { PEER_REFUSES, VMCG_REFUSES } from '../support/compare-runtimes'
import type { RuntimeName } from '../support/oci-runtime'

/** Something that vmcg does differently on cgroup v2 than runc 1.1 or crun 1.8 with the same `linux.resources`. */
export interface DifferenceV2 {
  readonly from: readonly RuntimeName[]
  /** The knob that says something else, or who alone refuses the document. */
  readonly where: string
  readonly when: string
  /** @param before What the cgroup was given before, when the resources are an update. */
  readonly applies: (resources: LinuxResources, before: LinuxResources) => boolean
  readonly why: string
}

const BOTH: readonly RuntimeName[] = ['runc', 'crun']

export const DIFFERENCES_V2: readonly DifferenceV2[] = [
  {
    from: BOTH,
    where: 'cpu.weight',
    when: 'cpu.shares is neither the least nor the most',
    applies: ({ cpu, unified }) => hasOtherWeight(cpu?.shares) && unified?.['cpu.weight'] === undefined,
    why: 'the conversion of 2025, which makes 100 of 1024; older runtimes draw a line that makes 39',
  },
  {
    from: BOTH,
    where: 'cpu.max.burst',
    when: 'cpu.burst is set',
    applies: ({ cpu }) => cpu?.burst !== undefined,
    why: 'later versions of both serve it',
  },
  {
    from: ['runc'],
    where: 'cpu.max',
    when: 'an update has only one of cpu.quota and cpu.period',
    applies: ({ cpu }, before) => Boolean(before.cpu?.quota) && Boolean(cpu?.quota) !== Boolean(cpu?.period),
    why: 'runc remembers the other half; in vmcg a quota alone is one per 100 ms, and a period alone no limit',
  },
  {
    from: ['crun'],
    where: 'memory.swap.max',
    when: 'an update lifts memory.limit and has no memory.swap',
    applies: ({ memory }, before) => memory?.limit === -1 && !memory.swap && Boolean(before.memory?.swap),
    why: 'no limit of memory means none of swap either, as in runc',
  },
  {
    from: ['runc'],
    where: 'cpu.idle',
    when: 'cpu.idle is 1',
    applies: ({ cpu }) => cpu?.idle === 1,
    why: 'runc serves cpu.idle since 1.2',
  },
  {
    from: ['runc'],
    where: 'cpu.weight',
    when: 'cpu.idle is 1',
    applies: ({ cpu }) => cpu?.idle === 1,
    why: 'an idle cgroup has no weight, and runc has not made it idle',
  },
  {
    from: BOTH,
    where: 'pids.max',
    when: 'pids.limit is 0',
    applies: ({ pids }) => pids?.limit === 0,
    why: 'the limit is required and 0 is one, which the kernel takes; neither can tell 0 from absent',
  },
  ...['2MB', '1GB'].map(
    (pageSize): DifferenceV2 => ({
      from: BOTH,
      where: `hugetlb.${pageSize}.rsvd.max`,
      when: `hugepageLimits has ${pageSize}`,
      applies: ({ hugepageLimits = [] }) => hugepageLimits.some((limit) => limit.pageSize === pageSize),
      why: 'a VM reserves its pages first: without this it is killed at the first touch instead of refused',
    }),
  ),
  {
    from: BOTH,
    where: PEER_REFUSES,
    when: 'a rate is 0',
    applies: ({ blockIO }) => ratesOf(blockIO).includes(0),
    why: 'no limit is max on v2; both write the 0, which the kernel refuses',
  },
  {
    from: BOTH,
    where: PEER_REFUSES,
    when: 'cpu.quota and cpu.period are out of the range of the kernel',
    applies: ({ cpu }) => cpu?.quota !== undefined && (cpu.period ?? 0) > 1_000_000,
    why: 'vmcg scales the two together',
  },
  {
    from: ['runc'],
    where: PEER_REFUSES,
    when: 'memory.swap is a limit and memory.limit is none',
    applies: ({ memory }) => memory?.limit === -1 && (memory.swap ?? 0) > 0,
    why: 'it is then a limit of swap, as in crun and later versions of runc',
  },
  {
    from: ['crun'],
    where: PEER_REFUSES,
    when: 'memory.kernel or memory.kernelTCP is -1, or memory.useHierarchy true',
    applies: ({ memory }) =>
      memory?.kernel === -1 || memory?.kernelTCP === -1 || memory?.useHierarchy === true,
    why: 'that is how v2 is; crun refuses whatever the fields say',
  },
  {
    from: ['crun'],
    where: PEER_REFUSES,
    when: 'memory.limit is 0',
    applies: ({ memory }) => memory?.limit === 0,
    why: 'a 0 is "not set", as in runc; crun takes it for no memory at all, and the container is killed',
  },
  {
    from: ['crun'],
    where: PEER_REFUSES,
    when: 'memory.checkBeforeUpdate is set and memory.limit is -1',
    applies: ({ memory }) => memory?.checkBeforeUpdate === true && memory.limit === -1,
    why: 'no limit is below no usage; crun takes the -1 for a number of bytes',
  },
  ...(['swappiness', 'disableOOMKiller', 'kernel', 'kernelTCP', 'useHierarchy'] as const).map(
    (field): DifferenceV2 => ({
      from: ['runc'],
      where: VMCG_REFUSES,
      when: `memory.${field} is set`,
      applies: ({ memory }) => Boolean(memory?.[field]) || memory?.useHierarchy === false,
      why: 'v2 has no knob for it; runc ignores the field',
    }),
  ),
  {
    from: ['runc'],
    where: VMCG_REFUSES,
    when: 'network is set',
    applies: ({ network }) => network !== undefined,
    why: 'v2 has no knob for it; runc ignores the field',
  },
  {
    from: ['runc'],
    where: VMCG_REFUSES,
    when: 'a realtime field of cpu is set',
    applies: ({ cpu }) => Boolean(cpu?.realtimeRuntime) || Boolean(cpu?.realtimePeriod),
    why: 'v2 has no knob for it; runc ignores the field',
  },
  {
    from: ['runc'],
    where: VMCG_REFUSES,
    when: 'blockIO.leafWeight is set',
    applies: ({ blockIO }) => Boolean(blockIO?.leafWeight),
    why: 'v2 has no knob for it; runc ignores the field',
  },
  {
    from: BOTH,
    where: VMCG_REFUSES,
    when: 'cpu.shares are more than the kernel takes on v1',
    applies: ({ cpu }) => (cpu?.shares ?? 0) > 262_144,
    why: 'nobody would get what the number says; others hold it to the most',
  },
  {
    from: BOTH,
    where: VMCG_REFUSES,
    when: 'a CPU list has blanks',
    applies: ({ cpu }) => /\s/.test(cpu?.cpus ?? ''),
    why: 'the kernel skips some blanks and takes others for an error',
  },
  {
    from: BOTH,
    where: VMCG_REFUSES,
    when: 'a value of unified is empty',
    applies: ({ unified = {} }) => Object.values(unified).includes(''),
    why: 'nothing is written then, and nothing said about it',
  },
  {
    from: BOTH,
    where: VMCG_REFUSES,
    when: 'a rate of operations has more than 32 bits',
    applies: ({ blockIO }) => ratesOf(blockIO).some((rate) => rate === 2 ** 32),
    why: 'the kernel takes it for no limit without a word',
  },
]

/** The differences from a runtime that resources, applied one after the other, give rise to. */
export function differencesFrom(
  peer: RuntimeName,
  steps: readonly LinuxResources[],
): readonly DifferenceV2[] {
  return DIFFERENCES_V2.filter(
    ({ from, applies }) =>
      from.includes(peer) && steps.some((resources, index) => applies(resources, steps[index - 1] ?? {})),
  )
}

function hasOtherWeight(shares = 0): boolean {
  const line = 1 + Math.floor(((shares - 2) * 9_999) / 262_142)
  return shares !== 0 && line !== cpuSharesToWeight(shares)
}

function ratesOf(blockIO: LinuxResources['blockIO'] = {}): readonly number[] {
  return [
    ...(blockIO.throttleReadBpsDevice ?? []),
    ...(blockIO.throttleWriteBpsDevice ?? []),
    ...(blockIO.throttleReadIOPSDevice ?? []),
    ...(blockIO.throttleWriteIOPSDevice ?? []),
  ].map(({ rate }) => rate)
}
