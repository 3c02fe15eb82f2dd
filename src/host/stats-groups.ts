import type { FigureFile } from '../engine/meter'
import { badArgument, checkList } from '../model/argument'

/** The members of a sandbox's stats that belong together, and are read or left out together. */
const MEMBERS = {
  roles: ['vcpu', 'emulator'],
  threads: ['threads'],
  cpu: ['cpu', 'throttling'],
  memory: ['memory', 'memoryEvents'],
  pids: ['pids'],
  io: ['blkio'],
  hugetlb: ['hugetlb'],
  pressure: ['pressure'],
} as const

/**
 * Which figures to read. `roles`: `vcpu` and `emulator`; `cpu`: `cpu` and `throttling` of the whole sandbox; `memory`:
 * `memory` and `memoryEvents`; `io`: `blkio`; `threads`, `pids`, `hugetlb` and `pressure`: the member of that name.
 */
export type StatsGroup = keyof typeof MEMBERS

/** The names of the members that a group consists of. */
export type StatsMember<Group extends StatsGroup> = (typeof MEMBERS)[Group][number]

/** A file of figures, and the group that it is read for. */
export interface GroupedFile {
  readonly group: StatsGroup
  readonly file: FigureFile
}

export function grouped(group: StatsGroup, files: readonly FigureFile[]): readonly GroupedFile[] {
  return files.map((file) => ({ group, file }))
}

const GROUPS: readonly StatsGroup[] = [
  'roles',
  'threads',
  'cpu',
  'memory',
  'pids',
  'io',
  'hugetlb',
  'pressure',
]

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no list of groups. */
export function checkStatsGroups(groups: readonly unknown[]): void {
  checkList('groups', groups)
  for (const group of groups) {
    if (!GROUPS.some((known) => known === group)) {
      throw badArgument('a member of groups', `one of ${GROUPS.join(', ')}`, group)
    }
  }
}

/** A bit for each group; all of them where none is named. */
export function groupBits(groups: readonly StatsGroup[] = GROUPS): number {
  return groups.reduce((bits, group) => bits | (1 << GROUPS.indexOf(group)), 0)
}

/** The names of the members of these groups. */
export function groupMembers<Group extends StatsGroup>(
  groups: readonly Group[],
): readonly StatsMember<Group>[] {
  return groups.flatMap((group): readonly StatsMember<Group>[] => MEMBERS[group])
}
