/** A property of a unit as D-Bus wants it: name, and a variant of type and value. */
export type UnitProperty = readonly [name: string, variant: readonly [type: string, value: unknown]]

/** Limits of a unit; null is none. */
export interface UnitLimits {
  /** In bytes. */
  readonly memoryMaxBytes: number | null
  readonly pidsMax: number | null
  /**
   * CPU time in each period, both in microseconds. systemd takes it per second, and rounds it *down* to 10 ms when it
   * reloads, where less than 10 ms becomes no limit at all: so it is rounded up to 10 ms here.
   */
  readonly cpuQuota: { readonly quotaUs: number; readonly periodUs: number } | null
}

/** What a scope is asked for. */
export interface ScopeRequest {
  /** Such as `'vmcg-sandbox-1.scope'`. */
  readonly unit: string
  /** Such as `'system.slice'`. It and the slices above it are made by systemd where they are missing. */
  readonly slice: string
  /** The processes to put in, at least one: a scope without any ends. They are moved with all of their threads. */
  readonly pids: readonly number[]
  /** One line for people, as `systemctl status` shows it. It also helps to tell the scope from another's. */
  readonly description: string
  /** Of the scope that was started before, if any: when it is still there it is taken up. */
  readonly invocationId?: string | undefined
  /** The cgroup below that one's which its further processes join, such as `'/vm'`. @default the unit's own */
  readonly subcgroup?: string | undefined
}

/** What systemd takes for "no limit". */
const INFINITY = 2n ** 64n - 1n

const SECOND_US = 1_000_000n
const ROUNDED_TO_US = 10_000n

/**
 * The properties of a scope. What is below it is left to us (`Delegate`), and a failed one is forgotten like one that
 * has ended (`CollectMode`). Its default dependencies stay, so that a shutdown stops VMs in order.
 *
 * Source: systemd, docs/TRANSIENT-SETTINGS.md and docs/CGROUP_DELEGATION.md; org.freedesktop.systemd1(5).
 */
export function scopeProperties({ slice, pids, description }: ScopeRequest): UnitProperty[] {
  return [
    ['Description', ['s', description]],
    ['Slice', ['s', slice]],
    ['Delegate', ['b', true]],
    ['CPUAccounting', ['b', true]],
    ['MemoryAccounting', ['b', true]],
    ['IOAccounting', ['b', true]],
    ['TasksAccounting', ['b', true]],
    // Else it is DefaultTasksMax, a limit that nobody has asked for.
    ['TasksMax', ['t', INFINITY]],
    ['CollectMode', ['s', 'inactive-or-failed']],
    ['PIDs', ['au', [...new Set(pids)]]],
  ]
}

/** Those that are given. Source: org.freedesktop.systemd1(5). */
export function limitProperties({ memoryMaxBytes, pidsMax, cpuQuota }: Partial<UnitLimits>): UnitProperty[] {
  const limits: readonly (readonly [string, number | bigint | null | undefined])[] = [
    ['MemoryMax', memoryMaxBytes],
    ['TasksMax', pidsMax],
    ['CPUQuotaPerSecUSec', cpuQuota && perSecondUs(cpuQuota)],
    // Else systemd's own period, in which bursts of a longer one do not fit.
    ['CPUQuotaPeriodUSec', cpuQuota === null ? null : cpuQuota?.periodUs],
  ]
  return limits.flatMap(([name, limit]): UnitProperty[] =>
    limit === undefined ? [] : [[name, ['t', limit === null ? INFINITY : BigInt(limit)]]],
  )
}

/** Microseconds of CPU time in a second, rounded up to 10 ms. */
function perSecondUs({ quotaUs, periodUs }: { quotaUs: number; periodUs: number }): bigint {
  const granule = BigInt(periodUs) * ROUNDED_TO_US
  const granules = (BigInt(quotaUs) * SECOND_US + granule - 1n) / granule
  return granules * ROUNDED_TO_US
}
