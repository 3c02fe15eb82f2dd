import { MAX_QUOTA_US } from '../cfs-bandwidth'
import type { LinuxCpu } from '../generated/oci'
import { cpuSharesToWeight } from './conversions-v2'
import { askedBandwidth, DEFAULT_PERIOD_US, SHARES_RANGE } from './cpu-fields'
import { integer, integerUnlessZero, refuseDemand } from './fields'
import { byFile, type Demand, type DemandContext, type KnobTexts } from './knob'
import { inOrder } from './order'
import { noKnobOnV2 } from './unsupported'

const WEIGHT = 'cpu.weight'
const NICE = 'cpu.weight.nice'
const IDLE = 'cpu.idle'
const MAX = 'cpu.max'
const BURST = 'cpu.max.burst'

/**
 * What `linux.resources.cpu` asks of the cpu controller of v2; `cpus` and `mems` are the cpuset's. `cpu.max` holds
 * quota and period, and is written whole: a quota without a period is one per 100 ms, a period without a quota is no
 * limit.
 *
 * Source: OCI runtime-spec config-linux.md, cpu; kernel, cgroup-v2.rst, CPU interface files.
 */
export function cpuDemandsV2(cpu: LinuxCpu, { onUnsupported }: DemandContext): readonly Demand[] {
  for (const field of ['realtimeRuntime', 'realtimePeriod'] as const) {
    const us = integer(`cpu.${field}`, cpu[field], { min: -1, max: Number.MAX_SAFE_INTEGER, note: ' us' })
    if (us === undefined || us <= 0) continue
    const why = 'its cpu controller shares out the time of ordinary threads only'
    const hint = `leave cpu.${field} out: the realtime threads of the host share sched_rt_runtime_us`
    onUnsupported(noKnobOnV2(`cpu.${field}`, us, why, hint))
  }
  const shares = integerUnlessZero('cpu.shares', cpu.shares, SHARES_RANGE)
  return [
    ...one(IDLE, 'cpu.idle', integer('cpu.idle', cpu.idle, { min: 0, max: 1 })),
    ...one(WEIGHT, 'cpu.shares', shares === undefined ? undefined : cpuSharesToWeight(shares)),
    ...bandwidthDemand(cpu),
    ...one(BURST, 'cpu.burst', integer('cpu.burst', cpu.burst, { min: 0, max: MAX_QUOTA_US })),
  ]
}

function one(file: string, field: string, value: number | string | undefined): Demand[] {
  return value === undefined ? [] : [{ controller: 'cpu', file, value: String(value), field }]
}

function bandwidthDemand(cpu: LinuxCpu): Demand[] {
  const { quotaUs, periodUs } = askedBandwidth(cpu)
  if (quotaUs === undefined && periodUs === undefined) return []
  const quota = quotaUs === undefined || quotaUs < 0 ? 'max' : quotaUs
  const field = quotaUs === undefined ? 'cpu.period' : 'cpu.quota'
  return one(MAX, field, `${quota} ${periodUs ?? DEFAULT_PERIOD_US}`)
}

/** Checks what is asked of the cpu knobs against each other and against what the cgroup has, and orders them. */
export function arrangeCpuV2(demands: readonly Demand[], { now }: DemandContext): readonly Demand[] {
  return arrangeBandwidth(arrangeWeight(demands, now), now)
}

/**
 * An idle cgroup has no weight: it reads 0, and the kernel takes none (EINVAL). One that stops being idle has the
 * default weight again (kernel/sched/fair.c, sched_group_set_idle). The shares of a container that is idle are left
 * out, since documents have both; `unified` names the very files.
 */
function arrangeWeight(demands: readonly Demand[], now: KnobTexts): readonly Demand[] {
  const idle = byFile(demands).get(IDLE)
  const willBeIdle = idle === undefined ? now.number(IDLE, 0) === 1 : idle.value === '1'
  if (!willBeIdle) return inOrder(inOrder(demands, IDLE, WEIGHT), IDLE, NICE)
  const asked = demands.find(({ file, field }) => isWeight(file) && field !== undefined)
  if (idle === undefined && asked !== undefined) {
    const why = 'cannot be set while the cgroup is idle (cpu.idle is 1)'
    throw refuseDemand('ERR_VMCG_INVALID_ARGUMENT', asked, why, 'set cpu.idle to 0 as well')
  }
  if (asked?.field === `unified.${asked?.file}`) {
    const why = `cannot be set together with ${idle?.field} 1: an idle cgroup has no weight`
    throw refuseDemand('ERR_VMCG_INVALID_ARGUMENT', asked, why, 'leave one of them out')
  }
  return demands.filter(({ file }) => !isWeight(file))
}

function isWeight(file: string): boolean {
  return file === WEIGHT || file === NICE
}

/** As on v1: a burst that shrinks goes before the quota and one that grows after it. */
function arrangeBandwidth(demands: readonly Demand[], now: KnobTexts): readonly Demand[] {
  const wanted = byFile(demands)
  const [max, burst] = [wanted.get(MAX), wanted.get(BURST)]
  const burstNow = now.number(BURST, 0)
  const burstUs = Number(burst?.value ?? burstNow)
  const asked = burst?.field === undefined ? max : burst
  if (asked !== undefined) refuseBurst(asked, burstUs, quotaOf(max?.value ?? now.text(MAX)))
  const isShrinking = burstUs < burstNow
  return isShrinking ? inOrder(demands, BURST, MAX) : inOrder(demands, MAX, BURST)
}

function quotaOf(text: string = 'max'): number {
  const [quota = 'max'] = text.trim().split(/\s+/)
  return quota === 'max' ? Number.POSITIVE_INFINITY : Number(quota)
}

/** kernel/sched/core.c, tg_set_cfs_bandwidth: EINVAL for a finite quota below the burst, or for too large a sum. */
function refuseBurst(asked: Demand, burstUs: number, quotaUs: number): void {
  if (quotaUs === Number.POSITIVE_INFINITY) return
  if (burstUs > quotaUs) {
    const why = `makes a burst of ${burstUs} us above the quota of ${quotaUs} us, which the kernel refuses`
    throw refuseDemand('ERR_VMCG_OUT_OF_RANGE', asked, why, 'set cpu.burst to at most cpu.quota')
  }
  if (burstUs + quotaUs > MAX_QUOTA_US) {
    const why = `makes burst and quota add up to more than ${MAX_QUOTA_US} us, the most that the kernel takes`
    throw refuseDemand('ERR_VMCG_OUT_OF_RANGE', asked, why)
  }
}
