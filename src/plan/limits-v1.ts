import { VmcgError } from '../errors'
import { cfsBandwidth } from '../model/cfs-bandwidth'
import { formatCpuList, isSubset, parseCpuList } from '../model/cpu-list'
import type { Desired } from './desired'
import { isManaged, sandboxPaths } from './desired'
import { parentPath, pathChain } from './observed'
import type { PlanBuilder } from './plan-builder'

const DEFAULT_SHARES = 1024
const NO_QUOTA = '-1'

/** Plans the knobs of the cpu and cpuset controllers on v1. */
export function planLimitsV1(builder: PlanBuilder, desired: Desired): void {
  builder.stage('limits')
  const cpu = builder.hierarchyOf('cpu')
  if (cpu !== undefined) {
    planShares(builder, desired, cpu)
    planBandwidth(builder, desired, cpu)
  }
  const cpuset = builder.hierarchyOf('cpuset')
  if (cpuset !== undefined) planCpuset(builder, desired, cpuset)
}

/**
 * The containers' weight is that of the whole sandbox. Inside, one cgroup counts as one thread against the sandbox's
 * own threads, so a leaf of four vCPUs would get no more than one busy iothread: its weight is a thread's (1024) for
 * each vCPU thread.
 */
function planShares(builder: PlanBuilder, desired: Desired, hierarchy: string): void {
  const { sandbox, vcpu } = sandboxPaths(desired)
  const shares = desired.resources.cpu?.shares
  if (shares !== undefined && shares > 0) {
    builder.write(hierarchy, sandbox, 'cpu.shares', String(clampShares(shares)))
  } else if (isManaged(desired, { hierarchy, path: sandbox, knob: 'cpu.shares' })) {
    builder.write(hierarchy, sandbox, 'cpu.shares', String(DEFAULT_SHARES))
  }
  if (desired.vcpus.length > 0) {
    builder.write(hierarchy, vcpu, 'cpu.shares', String(clampShares(DEFAULT_SHARES * desired.vcpus.length)))
  }
}

/** The kernel clamps silently to this range (kernel/sched/sched.h: MIN_SHARES, MAX_SHARES). */
function clampShares(shares: number): number {
  return Math.min(Math.max(shares, 2), 262144)
}

/**
 * Quota and period are two files, and the kernel checks their ratio against the parent's at each write
 * (kernel/sched/core.c, tg_cfs_schedulable). The order is the one whose half-way ratio is no larger than the larger
 * of the old and the new: the period first when it grows, the quota first when the period shrinks.
 */
function planBandwidth(builder: PlanBuilder, desired: Desired, hierarchy: string): void {
  const path = sandboxPaths(desired).vcpu
  const write = (knob: 'quota' | 'period', value: string) =>
    builder.write(hierarchy, path, `cpu.cfs_${knob}_us`, value)
  const { quota, period } = desired.resources.cpu ?? {}
  if (quota === undefined || period === undefined) {
    if (isManaged(desired, { hierarchy, path, knob: 'cpu.cfs_quota_us' })) write('quota', NO_QUOTA)
    return
  }
  const { quotaUs, periodUs } = cfsBandwidth(quota, period)
  const oldQuota = builder.knob(hierarchy, path, 'cpu.cfs_quota_us')
  const oldPeriod = Number(builder.knob(hierarchy, path, 'cpu.cfs_period_us'))
  const isPeriodFirst = oldQuota === NO_QUOTA || periodUs >= oldPeriod
  if (isPeriodFirst) write('period', String(periodUs))
  write('quota', String(quotaUs))
  if (!isPeriodFirst) write('period', String(periodUs))
}

/**
 * A v1 cpuset starts empty and takes no thread until it has CPUs and memory nodes: those above the leaf get what
 * their parents have, the leaf what the containers ask for. The sandbox's own follows its parent at every look, since
 * the kernel takes CPUs that go offline out of every cpuset and never puts them back. It can only grow so, and goes
 * first: the kernel lets no parent shrink below its child.
 */
function planCpuset(builder: PlanBuilder, desired: Desired, hierarchy: string): void {
  const { parent, sandbox, vcpu } = sandboxPaths(desired)
  for (const [knob, asked] of [
    ['cpuset.cpus', desired.resources.cpu?.cpus],
    ['cpuset.mems', desired.resources.cpu?.mems],
  ] as const) {
    for (const path of pathChain(parent)) {
      if (builder.knob(hierarchy, path, knob) === '') {
        builder.write(hierarchy, path, knob, builder.knob(hierarchy, parentPath(path), knob) ?? '')
      }
    }
    const available = builder.knob(hierarchy, parent, knob) ?? ''
    const wanted = asked === undefined || asked === '' ? available : formatCpuList(parseCpuList(asked))
    refuseOutside(knob, wanted, available, `${hierarchy}:${parent}`)
    builder.write(hierarchy, sandbox, knob, available)
    builder.write(hierarchy, vcpu, knob, wanted)
  }
}

function refuseOutside(knob: string, wanted: string, available: string, parent: string): void {
  if (isSubset(wanted, available)) return
  throw new VmcgError(
    'ERR_VMCG_OUT_OF_RANGE',
    `${knob}: the containers ask for ${wanted}, and the parent cgroup ${parent} has only ${available}`,
    { value: wanted, hint: `ask for a part of ${available}, or widen ${knob} of the parent` },
  )
}
