import { CgroupError, errnoName, errnoText } from '../errors'
import { excluding, MAX_PROGRAMS, type ProgramChain } from './device-programs'
import type { ObservedProgram } from './observed'

/** Where a device program is to be attached or taken off, as errors name it, and what is known of the place. */
export interface ProgramPlace {
  /** Whose rules these are. */
  readonly subject: string
  readonly mountPoint: string
  /** Of the cgroup itself and of those above it. */
  readonly chain: ProgramChain
  /** Capabilities that this process lacks to load and attach a program. */
  readonly lacked: readonly string[]
}

const EPERM = 1

function directory({ mountPoint, chain }: ProgramPlace, path = chain[0]?.path ?? ''): string {
  return path === '/' ? mountPoint : `${mountPoint}${path}`
}

/**
 * The programs that are attached to the cgroup.
 *
 * @throws `ERR_VMCG_NO_CAPABILITY` where this process may not ask for them, `ERR_VMCG_UNSUPPORTED` where the kernel has
 *   none.
 */
export function readPrograms(place: ProgramPlace): readonly ObservedProgram[] {
  const programs = place.chain[0]?.programs
  if (programs === undefined)
    throw new RangeError(`nobody has looked for the programs of ${directory(place)}`)
  if (programs.kind === 'programs') return programs.programs
  if (programs.errno === EPERM) throw lackingCapability(place)
  const { errno } = programs
  throw new CgroupError(
    'ERR_VMCG_UNSUPPORTED',
    `${place.subject}: on cgroup v2 an eBPF program holds devices back, and this kernel does not take one ` +
      `(${errnoName(errno)}: ${errnoText(errno)})`,
    {
      path: directory(place),
      hint: 'it needs CONFIG_CGROUP_BPF: zgrep CGROUP_BPF /proc/config.gz /boot/config-$(uname -r)',
    },
  )
}

/** @throws `ERR_VMCG_NO_CAPABILITY` where this process can load no program. */
export function refuseUnable(place: ProgramPlace): void {
  if (place.lacked.length > 0) throw lackingCapability(place)
}

function lackingCapability(place: ProgramPlace): CgroupError {
  const { subject, lacked } = place
  const why =
    lacked.length === 0
      ? 'and the kernel refuses that although the capabilities are there: a seccomp filter, a security module, or a user ' +
        "namespace, whose capabilities don't count for it"
      : `for which this process lacks ${lacked.join(' and ')}`
  return new CgroupError(
    'ERR_VMCG_NO_CAPABILITY',
    `${subject}: on cgroup v2 an eBPF program holds devices back, ${why}`,
    {
      path: directory(place),
      value: lacked.length === 0 ? undefined : lacked.join(' '),
      hint: 'run it as root, or with AmbientCapabilities=CAP_BPF CAP_NET_ADMIN in its systemd unit: grep CapEff /proc/self/status',
    },
  )
}

/**
 * What can only be got by its id needs CAP_SYS_ADMIN, and then its name cannot be read either.
 *
 * @throws `ERR_VMCG_NO_CAPABILITY` for a program of ours that another process has attached.
 */
export function refuseOutOfReach(place: ProgramPlace, own: ObservedProgram | null): void {
  if (own === null || own.name !== null) return
  throw new CgroupError(
    'ERR_VMCG_NO_CAPABILITY',
    `${place.subject}: the device program with the id ${own.id} was attached by an earlier process or object, ` +
      'and to replace it or take it off this process lacks CAP_SYS_ADMIN',
    {
      path: directory(place),
      value: 'CAP_SYS_ADMIN',
      hint: 'go on with the one that attached it, or run this as root: grep CapEff /proc/self/status',
    },
  )
}

/** @throws `ERR_VMCG_FOREIGN_PROGRAM` where the kernel would attach no other program. */
export function refuseCrowded(place: ProgramPlace): void {
  const excluded = excluding(place.chain)
  if (excluded !== undefined) {
    throw foreign(
      place,
      excluded,
      `the device program of somebody else on ${directory(place, excluded)} lets no other be attached ` +
        `${excluded === place.chain[0]?.path ? 'beside' : 'below'} it`,
    )
  }
  const count = readPrograms(place).length
  if (count >= MAX_PROGRAMS) {
    throw foreign(
      place,
      place.chain[0]?.path,
      `${count} device programs are attached to ${directory(place)}, and the kernel takes no more, nor one in the place of another`,
    )
  }
}

function foreign(place: ProgramPlace, path: string | undefined, what: string): CgroupError {
  const where = directory(place, path)
  return new CgroupError('ERR_VMCG_FOREIGN_PROGRAM', `${place.subject}: ${what}`, {
    path: where,
    hint: `see whose they are, and have their owner take them off: bpftool cgroup show ${where}`,
  })
}
