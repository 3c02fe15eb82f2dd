import type { FigureFile } from '../engine/meter'
import { FigureFormat } from '../engine/native'
import type { CgroupStats, ThrottlingStats } from './cgroup-figures'
import { type FiguresOf, numberOf, numbersFile, orZero } from './figure-file'
import { CPU_STAT as CPU_STAT_V1, CPUACCT_USAGE, throttlingV1 } from './stat-files-v1'
import { CPU_MAX, CPU_STAT as CPU_STAT_V2, cpuMaxV2, cpuStatsV2, throttlingV2 } from './stat-files-v2'

/** CPU time in microseconds since the cgroup was made; null where the host does not account it. */
export interface RoleStats {
  readonly usageUs: number | null
}

/** What the threads of each role do. Where the sandbox's cgroups do not exist (yet, or any more) all figures are 0. */
export interface RolesStats {
  readonly vcpu: RoleStats & {
    /** null: no limit. */
    readonly quotaUs: number | null
    readonly periodUs: number
    readonly throttling: ThrottlingStats
  }
  /** The VMM's main thread, its iothreads and helpers: everything in the sandbox that is no vCPU. */
  readonly emulator: RoleStats & { readonly throttling: ThrottlingStats }
}

/** How many threads each role has. */
export interface ThreadsStats {
  readonly vcpu: number
  readonly emulator: number
}

/**
 * What a sandbox uses: its roles, and as a whole, `vcpu` and `emulator` together. Of the whole, what is in none of its
 * hierarchies is null.
 */
export interface SandboxStats extends RolesStats, CgroupStats {
  readonly threads: ThreadsStats
}

/** A file that the figures of the roles are in, and the role of the cgroup that it is in. */
export interface RoleFile {
  readonly group: 'roles' | 'threads'
  readonly role: 'vcpu' | 'sandbox'
  readonly file: FigureFile
}

const TASKS: FigureFile = { file: 'tasks', format: FigureFormat.LineCount, fields: [] }
const THREADS: FigureFile = { file: 'cgroup.threads', format: FigureFormat.LineCount, fields: [] }
const QUOTA = numbersFile('cpu.cfs_quota_us')
const PERIOD = numbersFile('cpu.cfs_period_us')

/** The leaf before the whole: what runs in between can only make the difference too large, never negative. */
function ofBoth(file: FigureFile, group: RoleFile['group'] = 'roles'): readonly RoleFile[] {
  return [
    { group, role: 'vcpu', file },
    { group, role: 'sandbox', file },
  ]
}

function ofVcpus(file: FigureFile): RoleFile {
  return { group: 'roles', role: 'vcpu', file }
}

/**
 * The files of the roles' figures.
 *
 * Source: kernel, Documentation/admin-guide/cgroup-v1/cpuacct.rst (cpuacct.usage, in ns, children included),
 * Documentation/scheduler/sched-bwc.rst (cpu.stat of v1, throttled_time in ns), Documentation/admin-guide/cgroup-v2.rst
 * (cpu.stat of v2, in us: usage with what is below, throttling of the cgroup itself).
 */
export const ROLE_FILES = {
  /** In cpuacct's hierarchy. */
  cpuacct: ofBoth(CPUACCT_USAGE),
  /** In that of cpu, on v1 and on v2. */
  1: [...ofBoth(CPU_STAT_V1), ...ofBoth(TASKS, 'threads'), ofVcpus(QUOTA), ofVcpus(PERIOD)],
  2: [...ofBoth(CPU_STAT_V2), ...ofBoth(THREADS, 'threads'), ofVcpus(CPU_MAX)],
} as const satisfies Readonly<Record<string, readonly RoleFile[]>>

/** Where to look the figures of the roles up, each in its own cgroup. */
export interface RoleFigures {
  readonly vcpu: FiguresOf
  readonly sandbox: FiguresOf
}

/** @param accountsCpu whether there is a cpuacct hierarchy. */
export function rolesV1({ vcpu, sandbox }: RoleFigures, accountsCpu: boolean): RolesStats {
  const quotaUs = vcpu(QUOTA.file)?.[1] ?? -1
  const usageOfVcpus = numberOf(vcpu(CPUACCT_USAGE.file))
  const usageOfAll = numberOf(sandbox(CPUACCT_USAGE.file))
  return {
    vcpu: {
      usageUs: accountsCpu ? usageOfVcpus : null,
      quotaUs: quotaUs < 0 ? null : quotaUs,
      periodUs: numberOf(vcpu(PERIOD.file)),
      throttling: throttlingV1(vcpu(CPU_STAT_V1.file) ?? []),
    },
    emulator: {
      usageUs: accountsCpu ? usageOfAll - usageOfVcpus : null,
      throttling: throttlingV1(sandbox(CPU_STAT_V1.file) ?? []),
    },
  }
}

export function rolesV2({ vcpu, sandbox }: RoleFigures): RolesStats {
  const stat = { vcpu: vcpu(CPU_STAT_V2.file) ?? [], sandbox: sandbox(CPU_STAT_V2.file) ?? [] }
  const { usageUs } = cpuStatsV2(stat.vcpu)
  return {
    vcpu: {
      usageUs,
      ...cpuMaxV2(vcpu(CPU_MAX.file)),
      throttling: throttlingV2(stat.vcpu),
    },
    emulator: {
      usageUs: cpuStatsV2(stat.sandbox).usageUs - usageUs,
      throttling: throttlingV2(stat.sandbox),
    },
  }
}

export function threadsOf({ vcpu, sandbox }: RoleFigures, version: 1 | 2): ThreadsStats {
  const { file } = version === 1 ? TASKS : THREADS
  return { vcpu: orZero(vcpu(file)?.[0]), emulator: orZero(sandbox(file)?.[0]) }
}
