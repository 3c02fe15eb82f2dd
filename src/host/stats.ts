import { Batch, type OpResult, resultText } from '../engine/batch'
import { type Roots, type SubmitOptions, submit } from '../engine/lane'
import { OpCode } from '../engine/native'
import type { SandboxPaths } from '../plan/desired'
import type { Hierarchy } from './hierarchies'
import { nanosecondsToUs, parseThrottling, type ThrottlingStats } from './stat-files-v1'

export type { ThrottlingStats } from './stat-files-v1'

/** CPU time in microseconds since the cgroup was made; null where the host does not account it. */
export interface RoleStats {
  readonly usageUs: number | null
  readonly threads: number
}

export interface SandboxStats {
  readonly vcpu: RoleStats & {
    /** null: no limit. */
    readonly quotaUs: number | null
    readonly periodUs: number
    readonly throttling: ThrottlingStats
  }
  /** The VMM's main thread, its iothreads and helpers: everything in the sandbox that is no vCPU. */
  readonly emulator: RoleStats & { readonly throttling: ThrottlingStats }
}

/**
 * Reads a sandbox's figures in one batch. Where its cgroups do not exist (yet, or any more) all figures are 0.
 *
 * Source: kernel, Documentation/admin-guide/cgroup-v1/cpuacct.rst (cpuacct.usage, in ns, children included) and
 * Documentation/scheduler/sched-bwc.rst (cpu.stat, throttled_time in ns).
 */
export async function readStats(
  roots: Roots,
  cpu: Hierarchy,
  cpuacct: Hierarchy | undefined,
  paths: SandboxPaths,
  options: SubmitOptions,
): Promise<SandboxStats> {
  const batch = new Batch()
  const ask = (hierarchy: Hierarchy, path: string, file: string): number => {
    batch.nextGroup()
    batch.add(OpCode.Read, roots.id(hierarchy.mountPoint), `${path.slice(1)}/${file}`)
    return batch.length - 1
  }
  // The leaf before the whole: what runs in between can only make the difference too large, never negative.
  const usage = cpuacct && [
    ask(cpuacct, paths.vcpu, 'cpuacct.usage'),
    ask(cpuacct, paths.sandbox, 'cpuacct.usage'),
  ]
  const [vcpuStat, sandboxStat] = [ask(cpu, paths.vcpu, 'cpu.stat'), ask(cpu, paths.sandbox, 'cpu.stat')]
  const [vcpuTasks, sandboxTasks] = [ask(cpu, paths.vcpu, 'tasks'), ask(cpu, paths.sandbox, 'tasks')]
  const quota = ask(cpu, paths.vcpu, 'cpu.cfs_quota_us')
  const period = ask(cpu, paths.vcpu, 'cpu.cfs_period_us')
  const results = await submit(batch, options)
  const text = (index: number) => textOf(results[index])
  const [vcpuUs, sandboxUs] = usage?.map((index) => nanosecondsToUs(text(index) || '0')) ?? [null, null]
  const quotaUs = Number(text(quota) || -1)
  return {
    vcpu: {
      usageUs: vcpuUs ?? null,
      threads: lineCount(text(vcpuTasks)),
      quotaUs: quotaUs < 0 ? null : quotaUs,
      periodUs: Number(text(period)),
      throttling: parseThrottling(text(vcpuStat)),
    },
    emulator: {
      usageUs: sandboxUs == null || vcpuUs == null ? null : sandboxUs - vcpuUs,
      threads: lineCount(text(sandboxTasks)),
      throttling: parseThrottling(text(sandboxStat)),
    },
  }
}

function textOf(result: OpResult | undefined): string {
  return result === undefined || result.errno !== 0 ? '' : resultText(result).trimEnd()
}

function lineCount(text: string): number {
  return text === '' ? 0 : text.split('\n').length
}
