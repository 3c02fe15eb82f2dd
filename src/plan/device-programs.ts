import type { ObservedPrograms } from './observed'
import type { SetDeviceProgram } from './operations'

/** In place of the id of a program that a plan loads: only the kernel knows that, and its own begin with 1. */
export const JUST_LOADED = 0

/** The most that the kernel attaches to one cgroup. Source: include/linux/bpf-cgroup.h, BPF_CGROUP_MAX_PROGS. */
export const MAX_PROGRAMS = 64

const EPERM = 1
const ENOENT = 2
const E2BIG = 7

/** The programs of a cgroup after an operation that the kernel accepted: in the place of the old one, or behind all. */
export function programsAfter(
  before: ObservedPrograms | undefined,
  { program, replaces }: SetDeviceProgram,
): ObservedPrograms | undefined {
  if (before?.kind !== 'programs') return before
  const added = program === null ? [] : [{ id: JUST_LOADED, name: program.name }]
  const { programs } = before
  return {
    kind: 'programs',
    attach: program === null ? before.attach : 'multi',
    programs:
      replaces === null
        ? [...programs, ...added]
        : programs.flatMap((one) => (one.id === replaces.id ? added : [one])),
  }
}

/** Those of a new cgroup: none, and what cannot be asked of its parent cannot be asked of it. */
export function newPrograms(parent: ObservedPrograms | undefined): ObservedPrograms | undefined {
  return parent?.kind === 'programs' ? { ...parent, programs: [] } : parent
}

/** The programs of a cgroup and, the nearest first, of those above it. */
export type ProgramChain = readonly {
  readonly path: string
  readonly programs: ObservedPrograms | undefined
}[]

/**
 * What the kernel answers to an operation on the first cgroup of a chain: 0 or the errno. Source: kernel/bpf/cgroup.c,
 * __cgroup_bpf_attach; each was seen on Linux 6.18.
 */
export function programErrno({ program, replaces }: SetDeviceProgram, chain: ProgramChain): number {
  const programs = attached(chain[0]?.programs)
  if (program !== null && excluding(chain) !== undefined) return EPERM
  if (program !== null && programs.length >= MAX_PROGRAMS) return E2BIG
  return replaces === null || programs.some(({ id }) => id === replaces.id) ? 0 : ENOENT
}

/**
 * The cgroup whose programs let nobody attach another to the first of the chain: its own were attached without
 * BPF_F_ALLOW_MULTI, or those of the nearest above that has any also without BPF_F_ALLOW_OVERRIDE. undefined: there is
 * none.
 */
export function excluding(chain: ProgramChain): string | undefined {
  const [own, ...above] = chain
  const way = (programs: ObservedPrograms | undefined) =>
    programs?.kind === 'programs' ? programs.attach : undefined
  if (attached(own?.programs).length > 0 && way(own?.programs) !== 'multi') return own?.path
  const nearest = above.find(({ programs }) => attached(programs).length > 0)
  return way(nearest?.programs) === 'exclusive' ? nearest?.path : undefined
}

function attached(programs: ObservedPrograms | undefined) {
  return programs?.kind === 'programs' ? programs.programs : []
}
