import { Batch, type OpResult, resultText } from '../engine/batch'
import { cgroupFile } from '../engine/cgroup-tree'
import { type Roots, type SubmitOptions, submit } from '../engine/lane'
import { OpCode } from '../engine/native'
import type { SandboxPaths } from '../plan/desired'
import type { ThrottlingStats } from './cgroup-figures'
import type { Hierarchy } from './hierarchies'
import { nanosecondsToUs, parseThrottling as parseThrottlingV1 } from './stat-files-v1'
import { parseCpuMax, parseCpuStats, parseThrottling as parseThrottlingV2 } from './stat-files-v2'

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
 * @param cpu v1 or v2.
 * @param cpuacct of v1; v2 needs no controller to account CPU time.
 *
 * Source: kernel, Documentation/admin-guide/cgroup-v1/cpuacct.rst (cpuacct.usage, in ns, children included),
 * Documentation/scheduler/sched-bwc.rst (cpu.stat of v1, throttled_time in ns), Documentation/admin-guide/cgroup-v2.rst
 * (cpu.stat of v2, in us: usage with what is below, throttling of the cgroup itself).
 */
export function readStats(
  roots: Roots,
  cpu: Hierarchy,
  cpuacct: Hierarchy | undefined,
  paths: SandboxPaths,
  options: SubmitOptions,
): Promise<SandboxStats> {
  return cpu.version === 1 ? readV1(roots, cpu, cpuacct, paths, options) : readV2(roots, cpu, paths, options)
}

// The leaf before the whole: what runs in between can only make the difference too large, never negative.

async function readV1(
  roots: Roots,
  cpu: Hierarchy,
  cpuacct: Hierarchy | undefined,
  { vcpu, sandbox }: SandboxPaths,
  options: SubmitOptions,
): Promise<SandboxStats> {
  const look = new Look(roots)
  const usage = cpuacct && {
    vcpu: look.at(cpuacct, vcpu, 'cpuacct.usage'),
    sandbox: look.at(cpuacct, sandbox, 'cpuacct.usage'),
  }
  const stat = { vcpu: look.at(cpu, vcpu, 'cpu.stat'), sandbox: look.at(cpu, sandbox, 'cpu.stat') }
  const tasks = { vcpu: look.at(cpu, vcpu, 'tasks'), sandbox: look.at(cpu, sandbox, 'tasks') }
  const quota = look.at(cpu, vcpu, 'cpu.cfs_quota_us')
  const period = look.at(cpu, vcpu, 'cpu.cfs_period_us')
  const text = await look.read(options)
  const usageUs = usage && {
    vcpu: nanosecondsToUs(text(usage.vcpu) || '0'),
    sandbox: nanosecondsToUs(text(usage.sandbox) || '0'),
  }
  const quotaUs = Number(text(quota) || -1)
  return {
    vcpu: {
      usageUs: usageUs?.vcpu ?? null,
      threads: lineCount(text(tasks.vcpu)),
      quotaUs: quotaUs < 0 ? null : quotaUs,
      periodUs: Number(text(period)),
      throttling: parseThrottlingV1(text(stat.vcpu)),
    },
    emulator: {
      usageUs: usageUs === undefined ? null : usageUs.sandbox - usageUs.vcpu,
      threads: lineCount(text(tasks.sandbox)),
      throttling: parseThrottlingV1(text(stat.sandbox)),
    },
  }
}

async function readV2(
  roots: Roots,
  unified: Hierarchy,
  { vcpu, sandbox }: SandboxPaths,
  options: SubmitOptions,
): Promise<SandboxStats> {
  const look = new Look(roots)
  const stat = { vcpu: look.at(unified, vcpu, 'cpu.stat'), sandbox: look.at(unified, sandbox, 'cpu.stat') }
  const threads = {
    vcpu: look.at(unified, vcpu, 'cgroup.threads'),
    sandbox: look.at(unified, sandbox, 'cgroup.threads'),
  }
  const max = look.at(unified, vcpu, 'cpu.max')
  const text = await look.read(options)
  const usageUs = parseCpuStats(text(stat.vcpu)).usageUs
  return {
    vcpu: {
      usageUs,
      threads: lineCount(text(threads.vcpu)),
      ...parseCpuMax(text(max) || 'max'),
      throttling: parseThrottlingV2(text(stat.vcpu)),
    },
    emulator: {
      usageUs: parseCpuStats(text(stat.sandbox)).usageUs - usageUs,
      threads: lineCount(text(threads.sandbox)),
      throttling: parseThrottlingV2(text(stat.sandbox)),
    },
  }
}

/** Files that are read in one batch, in the order in which they were named. */
class Look {
  readonly #roots: Roots
  readonly #batch = new Batch()

  constructor(roots: Roots) {
    this.#roots = roots
  }

  /** @returns its place among the files. */
  at(hierarchy: Hierarchy, path: string, file: string): number {
    this.#batch.nextGroup()
    this.#batch.add(OpCode.Read, this.#roots.id(hierarchy.mountPoint), cgroupFile(path, file))
    return this.#batch.length - 1
  }

  /** Resolves with the text of each, by its place, without the newline at the end; empty where it cannot be read. */
  async read(options: SubmitOptions): Promise<(place: number) => string> {
    const results = await submit(this.#batch, options)
    return (place) => textOf(results[place])
  }
}

function textOf(result: OpResult | undefined): string {
  return result === undefined || result.errno !== 0 ? '' : resultText(result).trimEnd()
}

function lineCount(text: string): number {
  return text === '' ? 0 : text.split('\n').length
}
