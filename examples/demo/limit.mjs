import { measureCpu } from './cpu-time.mjs'
import { Failure } from './failures.mjs'
import { percent, say } from './output.mjs'

/** @import { Sandbox, SandboxStats, SandboxThread } from 'vmcg' */
/** @import { CpuUsage } from './threads-table.mjs' */

/** A measurement over a few seconds is some points off: a period at either end, the ticks of the clock. */
const TOLERANCE_POINTS = 10

/**
 * @typedef {object} Measured
 * @property {CpuUsage} usage
 * @property {number} sum what the vCPUs used together, in percent of one CPU
 * @property {number} limit in the same unit; infinite where there is none
 * @property {SandboxStats} before the kernel's counters at the beginning
 * @property {SandboxStats} after and at the end
 */

/**
 * Measures every thread, and what the kernel counted meanwhile.
 *
 * @param {Sandbox} sandbox
 * @param {number} pid the VMM's
 * @param {AbortSignal} signal
 * @returns {Promise<Measured>}
 */
export async function measureLimit(sandbox, pid, signal) {
  const before = await sandbox.stats({ signal })
  const usage = await measureCpu(pid, signal)
  const after = await sandbox.stats({ signal })
  const sum = vcpuSum(await sandbox.threads({ signal }), usage)
  const { quotaUs, periodUs } = after.vcpu
  const limit = quotaUs === null ? Number.POSITIVE_INFINITY : (100 * quotaUs) / periodUs
  return { usage, sum, limit, before, after }
}

/**
 * @param {readonly SandboxThread[]} threads
 * @param {CpuUsage} usage
 * @returns {number} what the vCPUs used together, in percent of one CPU
 */
export function vcpuSum(threads, usage) {
  const vcpus = threads.filter(({ role }) => role === 'vcpu')
  return vcpus.reduce((sum, { tid }) => sum + (usage.get(tid) ?? 0), 0)
}

/**
 * Says what was measured, whatever it is.
 *
 * @param {Measured} measured
 * @throws {Failure} when the vCPUs run clearly above their limit
 */
export function sayWhetherHeld({ sum, limit, before, after }) {
  const periods = after.vcpu.throttling.periods - before.vcpu.throttling.periods
  say(`vCPUs now:     ${percent(sum)} of a CPU together, limit ${limit} %`)
  say(`               nr_throttled ${throttled(before.vcpu, after.vcpu)}, in ${periods} periods`)
  say(`other threads: nr_throttled ${throttled(before.emulator, after.emulator)}`)
  if (sum < limit - TOLERANCE_POINTS) say('This host is too busy to let the vCPUs reach their limit.')
  if (sum > limit + TOLERANCE_POINTS) throw new Failure('the vCPUs are not held to their limit', 1)
}

/**
 * @param {SandboxStats['vcpu' | 'emulator']} before
 * @param {SandboxStats['vcpu' | 'emulator']} after
 */
function throttled({ throttling: before }, { throttling: after }) {
  return `${before.throttledPeriods} → ${after.throttledPeriods}`
}
