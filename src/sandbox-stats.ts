import { checkActOptions } from './checked-options'
import type { MeterReading } from './engine/meter'
import type { SandboxStats } from './host/stats'
import {
  checkStatsGroups,
  groupBits,
  groupMembers,
  type StatsGroup,
  type StatsMember,
} from './host/stats-groups'
import type { StatsMeter } from './host/stats-meter'
import type { Logger } from './log'
import { checkOptionalMs } from './model/argument'
import { readStats } from './read-stats'
import type { Sandbox } from './sandbox'
import type { ActOptions } from './sandbox-options'

export interface StatsOptions<Group extends StatsGroup = StatsGroup> extends ActOptions {
  /** Which figures to read; the others are left out of the result. @default all */
  readonly groups?: readonly Group[] | undefined
  /** How long to wait for the kernel. @default 10000 */
  readonly timeoutMs?: number | undefined
}

/** The figures of these groups. */
export type StatsOf<Group extends StatsGroup> = Pick<SandboxStats, StatsMember<Group>>

/** What came of one sandbox among many: its figures, or what its `stats()` would have thrown. */
export type ReadSandbox<Group extends StatsGroup = StatsGroup> =
  | { readonly sandbox: Sandbox; readonly stats: StatsOf<Group>; readonly error?: undefined }
  | { readonly sandbox: Sandbox; readonly stats?: undefined; readonly error: unknown }

/** A sandbox as its figures are read. */
export interface StatsSubject {
  readonly sandbox: Sandbox
  readonly log: Logger
  /** @throws `ERR_VMCG_CLOSED` */
  readonly meter: () => StatsMeter
}

const DEFAULT_TIMEOUT_MS = 10_000

/** @throws `ERR_VMCG_INVALID_ARGUMENT` */
export function checkStatsOptions(options: StatsOptions): void {
  checkActOptions(options)
  checkOptionalMs('timeoutMs', options.timeoutMs)
  if (options.groups !== undefined) checkStatsGroups(options.groups)
}

/** The figures of each, or what kept them from being read, in the order given. @throws `signal.reason` */
export async function readSandboxes<Group extends StatsGroup>(
  subjects: readonly StatsSubject[],
  options: StatsOptions<Group>,
): Promise<readonly ReadSandbox<Group>[]> {
  const { groups, timeoutMs = DEFAULT_TIMEOUT_MS, signal } = options
  const members = groups && groupMembers(groups)
  let files = 0
  const sources = subjects.map(({ meter }) => () => {
    const opened = meter()
    files += opened.meter.form.files.length
    return {
      meter: opened.meter,
      stats: (reading: MeterReading) => opened.sandboxStats(reading),
    }
  })
  const { outcomes, keptAtMost } = await readStats(sources, { groups: groupBits(groups), timeoutMs, signal })
  const [first] = subjects
  if (keptAtMost !== undefined && files > keptAtMost && first !== undefined) {
    tellOfLimit(first.log, files, keptAtMost)
  }
  return subjects.flatMap(({ sandbox }, index): readonly ReadSandbox<Group>[] => {
    const outcome = outcomes[index]
    if (outcome === undefined) return []
    if (outcome.status === 'rejected') return [{ sandbox, error: outcome.reason }]
    return [{ sandbox, stats: members === undefined ? outcome.value : pick(outcome.value, members) }]
  })
}

function pick<Group extends StatsGroup>(
  all: SandboxStats,
  members: readonly StatsMember<Group>[],
): StatsOf<Group> {
  const picked: Partial<SandboxStats> = {}
  for (const member of members) copy(all, picked, member)
  requireMembers(picked, members)
  return picked
}

function copy<Member extends keyof SandboxStats>(
  from: SandboxStats,
  to: { -readonly [Key in keyof SandboxStats]?: SandboxStats[Key] },
  member: Member,
): void {
  to[member] = from[member]
}

function requireMembers<Group extends StatsGroup>(
  stats: Partial<SandboxStats>,
  members: readonly StatsMember<Group>[],
): asserts stats is Partial<SandboxStats> & StatsOf<Group> {
  for (const member of members)
    if (stats[member] === undefined) throw new TypeError(`stats without ${member}`)
}

/** Said once to each logger: it is true of the whole process, and of every call from now on. */
const told = new WeakSet<Logger>()

function tellOfLimit(log: Logger, files: number, keptAtMost: number): void {
  if (told.has(log)) return
  told.add(log)
  log.warn(
    { files, keptAtMost },
    `statsAll reads ${files} files but keeps at most ${keptAtMost} of them open, half of what this process may have ` +
      'open (RLIMIT_NOFILE) and never more than 32768: the others are opened each time, which takes ten times as long. ' +
      'Raise the limit (ulimit -n, LimitNOFILE=), or read fewer groups',
  )
}
