import { coversDevices, deviceRule } from '../../src/model/device-rule'
import type { LinuxDeviceCgroup, LinuxResources } from '../../src/model/generated/oci'
import { PEER_REFUSES as RUNC_REFUSES, VMCG_REFUSES } from '../support/compare-runtimes'

/** Something that vmcg and runc 1.1 do differently with the same `linux.resources`. */
export interface Difference {
  /** The knob that says something else, or who alone refuses the document. */
  readonly where: string
  readonly when: string
  /** @param before What the cgroup was given before, when the resources are an update. */
  readonly applies: (resources: LinuxResources, before: LinuxResources) => boolean
  readonly why: string
}

/** More than the one waiting process of runc's container, which the kernel charges to the cgroup, can need. */
const RUNC_NEEDS_BYTES = 2 ** 24

const DEFAULT_RT_PERIOD_US = 1_000_000

export const DIFFERENCES: readonly Difference[] = [
  {
    where: 'pids.max',
    when: 'pids.limit is 0',
    applies: ({ pids }) => pids?.limit === 0,
    why: 'the limit is required and 0 is one, which the kernel takes; runc 1.1 cannot tell 0 from absent',
  },
  {
    where: 'cpu.cfs_burst_us',
    when: 'cpu.burst is set',
    applies: ({ cpu }) => cpu?.burst !== undefined,
    why: 'runc serves cpu.burst since 1.2',
  },
  {
    where: 'cpu.idle',
    when: 'cpu.idle is 1',
    applies: ({ cpu }) => cpu?.idle === 1,
    why: 'runc serves cpu.idle since 1.2',
  },
  {
    where: 'cpu.shares',
    when: 'cpu.idle is 1',
    applies: ({ cpu }) => cpu?.idle === 1,
    why: 'the kernel holds the weight of an idle cgroup at 3, and runc has not made it idle',
  },
  {
    where: 'cpu.rt_runtime_us',
    when: 'an update has a cpu.realtimeRuntime of 0',
    applies: ({ cpu }) => cpu?.realtimeRuntime === 0,
    why: 'the kernel takes 0, which is no realtime at all; runc cannot tell it from absent',
  },
  {
    where: 'devices.list',
    when: 'a rule of type a is for some numbers or letters only',
    applies: hasPartialRuleForBothTypes,
    why: 'the kernel would take it for a *:* rwm, as runc does; vmcg splits it into what it says',
  },
  {
    where: 'devices.list',
    when: 'a deny rule with a wildcard follows an allow rule for one of its devices',
    applies: hasDenialOfEarlierRules,
    why: 'entries apply in the listed order, so that the later wins; the kernel removes the same numbers only',
  },
  {
    where: 'devices.list',
    when: 'a rule for all block devices and one for all character devices allow everything',
    applies: allowsEverythingInTwoRules,
    why: 'it means the same: vmcg leaves the new cgroup at a *:* rwm',
  },
  {
    where: RUNC_REFUSES,
    when: 'a device rule has no access',
    applies: ({ devices }) => (devices ?? []).some(({ access }) => access === undefined),
    why: 'the field is optional, and without it a rule is for every access',
  },
  {
    where: RUNC_REFUSES,
    when: 'cpu.quota and cpu.period are out of the range of the kernel',
    applies: ({ cpu }) => cpu?.quota !== undefined && (cpu.period ?? 0) > 1_000_000,
    why: 'vmcg scales the two together',
  },
  {
    where: RUNC_REFUSES,
    when: 'an update shortens the realtime period',
    applies: ({ cpu }, before) =>
      (before.cpu?.realtimeRuntime ?? 0) > 0 &&
      (cpu?.realtimePeriod ?? DEFAULT_RT_PERIOD_US) < (before.cpu?.realtimePeriod ?? DEFAULT_RT_PERIOD_US),
    why: 'runc writes the period first, so that for a moment the old runtime is too much for the parent',
  },
  {
    where: RUNC_REFUSES,
    when: 'memory.limit is less than a process of runc needs',
    applies: ({ memory }) => (memory?.limit ?? 0) > 0 && (memory?.limit ?? 0) < RUNC_NEEDS_BYTES,
    why: 'the container has a process in it, and the cgroup of vmcg here has none',
  },
  {
    where: VMCG_REFUSES,
    when: 'a device is denied after everything was allowed',
    applies: hasHoleInEverything,
    why: 'the kernel keeps such a hole, but shows a *:* rwm, so that nobody can see whether it is there',
  },
  {
    where: VMCG_REFUSES,
    when: 'a letter is twice in the access of a device rule',
    applies: ({ devices }) => (devices ?? []).some(({ access = '' }) => /(.).*\1/.test(access)),
    why: 'it is a mistake of whoever wrote it',
  },
  {
    where: VMCG_REFUSES,
    when: 'memory.kernel is set',
    applies: ({ memory }) => (memory?.kernel ?? 0) > 0,
    why: 'nothing would limit it: runc ignores the field, and the kernel the knob',
  },
  {
    where: VMCG_REFUSES,
    when: 'memory.kernelTCP is set',
    applies: ({ memory }) => (memory?.kernelTCP ?? 0) > 0,
    why: 'nothing would limit it: runc ignores the field',
  },
  {
    where: VMCG_REFUSES,
    when: 'memory.useHierarchy is false',
    applies: ({ memory }) => memory?.useHierarchy === false,
    why: 'the kernel has only hierarchical memory cgroups; runc ignores the field',
  },
  {
    where: VMCG_REFUSES,
    when: 'pids.limit is below -1',
    applies: ({ pids }) => (pids?.limit ?? 0) < -1,
    why: 'no limit is -1; runc takes every negative number for it',
  },
  {
    where: VMCG_REFUSES,
    when: 'a rate of operations has more than 32 bits',
    applies: ({ blockIO }) => (blockIO?.throttleReadIOPSDevice ?? []).some(({ rate }) => rate >= 2 ** 32 - 1),
    why: 'the kernel cuts it down to 32 bits without a word: 4294967296 stops the device',
  },
  {
    where: VMCG_REFUSES,
    when: 'a CPU list has blanks',
    applies: ({ cpu }) => /\s/.test(cpu?.cpus ?? ''),
    why: 'the kernel skips some blanks and takes others for an error',
  },
]

/** The differences that resources, applied one after the other, give rise to. */
export function differencesOf(steps: readonly LinuxResources[]): readonly Difference[] {
  return DIFFERENCES.filter(({ applies }) =>
    steps.some((resources, index) => applies(resources, steps[index - 1] ?? {})),
  )
}

function isWhole({ type = 'a', major = -1, minor = -1, access = 'rwm' }: LinuxDeviceCgroup): boolean {
  return type === 'a' && major === -1 && minor === -1 && access === 'rwm'
}

function hasPartialRuleForBothTypes({ devices = [] }: LinuxResources): boolean {
  return devices.some((rule) => (rule.type ?? 'a') === 'a' && !isWhole(rule))
}

function hasDenialOfEarlierRules({ devices = [] }: LinuxResources): boolean {
  return devices.some((denied, index) =>
    devices.slice(0, index).some((allowed) => {
      const [inner, outer] = [deviceRule(allowed), deviceRule(denied)]
      const isSame = inner.major === outer.major && inner.minor === outer.minor
      return !denied.allow && allowed.allow && !isSame && coversDevices(outer, inner)
    }),
  )
}

function allowsEverythingInTwoRules({ devices = [] }: LinuxResources): boolean {
  return (['b', 'c'] as const).every((type) =>
    devices.some((rule) => rule.allow && rule.type === type && isWhole({ ...rule, type: 'a' })),
  )
}

function hasHoleInEverything({ devices = [] }: LinuxResources): boolean {
  const everything = devices.findIndex((rule) => rule.allow && isWhole(rule))
  return everything !== -1 && devices.slice(everything).some((rule) => !rule.allow && !isWhole(rule))
}
