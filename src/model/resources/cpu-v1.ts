import { MAX_QUOTA_US } from '../cfs-bandwidth'
import type { LinuxCpu } from '../generated/oci'
import { askedBandwidth, DEFAULT_PERIOD_US, SHARES_RANGE } from './cpu-fields'
import { integer, integerUnlessZero, refuseDemand } from './fields'
import { byFile, type Demand, type DemandContext, type KnobTexts, present } from './knob'

const SHARES = 'cpu.shares'
const IDLE = 'cpu.idle'
const QUOTA = 'cpu.cfs_quota_us'
const PERIOD = 'cpu.cfs_period_us'
const BURST = 'cpu.cfs_burst_us'
const RT_RUNTIME = 'cpu.rt_runtime_us'
const RT_PERIOD = 'cpu.rt_period_us'

const DEFAULT_RT_PERIOD_US = 1_000_000
/** MAX_BW of kernel/sched/sched.h, which realtime runtimes are held to in nanoseconds. */
const MAX_RT_RUNTIME_US = Math.floor(MAX_QUOTA_US / 1000)

/**
 * What `linux.resources.cpu` asks of the cpu controller, still in no order; `cpus` and `mems` are the cpuset's. A 0 is
 * "not set" for shares, quota and periods. A quota and a period that are both given are scaled into the kernel's range.
 *
 * Source: OCI runtime-spec config-linux.md, cpu; kernel/sched/core.c (cpu_legacy_files).
 */
export function cpuDemands(cpu: LinuxCpu): Demand[] {
  const shares = integerUnlessZero('cpu.shares', cpu.shares, SHARES_RANGE)
  return [
    ...one(SHARES, 'cpu.shares', shares),
    ...one(IDLE, 'cpu.idle', integer('cpu.idle', cpu.idle, { min: 0, max: 1 })),
    ...bandwidthDemands(cpu),
    ...one(BURST, 'cpu.burst', integer('cpu.burst', cpu.burst, { min: 0, max: MAX_QUOTA_US })),
    ...realtimeDemands(cpu),
  ]
}

function one(file: string, field: string, value: number | undefined): Demand[] {
  return value === undefined ? [] : [{ controller: 'cpu', file, value: String(value), field }]
}

function bandwidthDemands(cpu: LinuxCpu): Demand[] {
  const { quotaUs, periodUs } = askedBandwidth(cpu)
  return [...one(QUOTA, 'cpu.quota', quotaUs), ...one(PERIOD, 'cpu.period', periodUs)]
}

function realtimeDemands(cpu: LinuxCpu): Demand[] {
  const runtime = integer('cpu.realtimeRuntime', cpu.realtimeRuntime, {
    min: -1,
    max: MAX_RT_RUNTIME_US,
    note: ' us (-1 is no limit)',
  })
  const period = integerUnlessZero('cpu.realtimePeriod', cpu.realtimePeriod, {
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    note: ' us',
  })
  return [...one(RT_RUNTIME, 'cpu.realtimeRuntime', runtime), ...one(RT_PERIOD, 'cpu.realtimePeriod', period)]
}

/** Checks the demands against each other and against what the cgroup has, and puts them in the order to write them. */
export function arrangeCpu(demands: readonly Demand[], { now }: DemandContext): Demand[] {
  const wanted = byFile(demands)
  return [...arrangeRealtime(wanted, now), ...arrangeWeight(wanted, now), ...arrangeBandwidth(wanted, now)]
}

/** Realtime comes first of all: without a runtime the kernel lets no realtime thread join (EINVAL). */
function arrangeRealtime(wanted: ReadonlyMap<string, Demand>, now: KnobTexts): Demand[] {
  const runtime = wanted.get(RT_RUNTIME)
  const period = wanted.get(RT_PERIOD)
  const asked = runtime ?? period
  if (asked === undefined) return []
  const runtimeUs = Number(runtime?.value ?? now.number(RT_RUNTIME, 0))
  const periodUs = Number(period?.value ?? now.number(RT_PERIOD, DEFAULT_RT_PERIOD_US))
  if (runtimeUs > periodUs) {
    const why = `makes a realtime runtime of ${runtimeUs} us in a period of only ${periodUs} us`
    throw refuseDemand('ERR_VMCG_OUT_OF_RANGE', asked, why)
  }
  return amountAndPeriod(runtime, period, now.number(RT_PERIOD, DEFAULT_RT_PERIOD_US))
}

/**
 * The kernel holds the weight of an idle cgroup at its own (it reads 3) and refuses any other with EINVAL; when the
 * cgroup stops being idle its shares are 1024 again (kernel/sched/fair.c, sched_group_set_idle).
 */
function arrangeWeight(wanted: ReadonlyMap<string, Demand>, now: KnobTexts): Demand[] {
  const shares = wanted.get(SHARES)
  const idle = wanted.get(IDLE)
  const wasIdle = now.number(IDLE, 0) === 1
  if (idle?.value === '1') return [idle]
  if (!wasIdle) return present(idle, shares)
  if (idle !== undefined) return present(idle, shares && { ...shares, isReset: true })
  if (shares?.field === undefined) return []
  const why = 'cannot be set while the cgroup is idle (cpu.idle is 1)'
  throw refuseDemand('ERR_VMCG_INVALID_ARGUMENT', shares, why, 'set cpu.idle to 0 as well')
}

/**
 * A finite quota must be at least the burst at each write (kernel/sched/core.c, tg_set_cfs_bandwidth), so a burst that
 * shrinks goes before the quota and one that grows after it.
 */
function arrangeBandwidth(wanted: ReadonlyMap<string, Demand>, now: KnobTexts): Demand[] {
  const quota = wanted.get(QUOTA)
  const burst = wanted.get(BURST)
  refuseBurst(quota, burst, now)
  const isShrinking = burst !== undefined && Number(burst.value) < now.number(BURST, 0)
  const period = wanted.get(PERIOD)
  // No quota is within every parent's and above every child's: once it is lifted, the period stands against nothing.
  const isLifted = quota !== undefined && Number(quota.value) < 0
  const pair = isLifted
    ? present(quota, period)
    : amountAndPeriod(quota, period, now.number(PERIOD, DEFAULT_PERIOD_US))
  return isShrinking ? [burst, ...pair] : [...pair, ...present(burst)]
}

function refuseBurst(quota: Demand | undefined, burst: Demand | undefined, now: KnobTexts): void {
  const asked = burst?.field === undefined ? quota : burst
  const quotaUs = Number(quota?.value ?? now.number(QUOTA, -1))
  const burstUs = Number(burst?.value ?? now.number(BURST, 0))
  if (asked === undefined || quotaUs < 0) return
  if (burstUs > quotaUs) {
    const why = `makes a burst of ${burstUs} us above the quota of ${quotaUs} us, which the kernel refuses`
    throw refuseDemand('ERR_VMCG_OUT_OF_RANGE', asked, why, 'set cpu.burst to at most cpu.quota')
  }
  if (burstUs + quotaUs > MAX_QUOTA_US) {
    const why = `makes burst and quota add up to more than ${MAX_QUOTA_US} us, the most that the kernel takes`
    throw refuseDemand('ERR_VMCG_OUT_OF_RANGE', asked, why)
  }
}

/**
 * An amount of time and its period are two files, and the kernel holds their ratio to the parent's at each write. The
 * period first when it grows and the amount first when it shrinks keeps the ratio half-way no larger than the larger
 * of the old and the new, and between the two wherever that is possible at all.
 */
function amountAndPeriod(
  amount: Demand | undefined,
  period: Demand | undefined,
  periodNow: number,
): Demand[] {
  const isPeriodFirst = period !== undefined && Number(period.value) >= periodNow
  return isPeriodFirst ? present(period, amount) : present(amount, period)
}
