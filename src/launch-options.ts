import { fstatSync } from 'node:fs'
import { basename } from 'node:path'
import { checkActOptions } from './checked-options'
import type { LaunchLimit, LaunchOrder } from './engine/launch'
import { NULL_DEVICE, PIPE } from './engine/native'
import { VmcgError } from './errors'
import {
  badArgument,
  checkList,
  checkObject,
  checkOptionalBoolean,
  checkOptionalText,
} from './model/argument'
import type { ActOptions } from './sandbox-options'

/** What a descriptor of the VMM is: a pipe to this process, nothing, the same descriptor as here, or the one given. */
export type LaunchStdio = 'pipe' | 'ignore' | 'inherit' | number

/** RLIMIT_* of <sys/resource.h>, the same numbers on x86-64 and arm64. */
const RESOURCES = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
} as const

export type ResourceName = keyof typeof RESOURCES
export type ResourceLimit = number | 'unlimited'

export interface LaunchOptions extends ActOptions {
  /** Where it is started. @default the directory of this process */
  readonly cwd?: string | undefined
  /** Its whole environment. @default that of this process */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /**
   * Its descriptors from 0 on, or one word for the first three. A number from the fourth place on hands a descriptor of
   * this process to it, such as that of a tap device. @default 'pipe'
   */
  readonly stdio?: LaunchStdio | readonly LaunchStdio[] | undefined
  /** The user and group that it runs as, by number. It enters its cgroups as this process's user. */
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** Supplementary groups, such as that of `/dev/kvm`. @default none where `uid` or `gid` is given, else the same */
  readonly groups?: readonly number[] | undefined
  /** Resource limits by their names in limits.conf(5), in the units of setrlimit(2): `{ nofile: 4096 }`. */
  readonly rlimits?:
    | Readonly<
        Partial<
          Record<ResourceName, ResourceLimit | { readonly soft: ResourceLimit; readonly hard: ResourceLimit }>
        >
      >
    | undefined
  /** Start it in a session of its own: no Ctrl-C of this terminal reaches it. @default false */
  readonly detached?: boolean | undefined
  /**
   * What the program is. For a QEMU, vmcg adds `-S` and a QMP monitor, attaches it, places its vCPUs before they run,
   * and then lets it run. @default 'qemu' for a file named `qemu-system-…` or `qemu-kvm`, else 'none'
   */
  readonly hypervisor?: 'qemu' | 'none' | undefined
  /** How long each step may take, in milliseconds: until the program runs, until QEMU answers. @default 30000 */
  readonly timeoutMs?: number | undefined
}

/** A launch, checked. */
export interface CheckedLaunch {
  readonly order: LaunchOrder
  readonly isQemu: boolean
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

const DEFAULT_TIMEOUT_MS = 30_000
const LONGEST_TIMER_MS = 2 ** 31 - 1
const LARGEST_ID = 2 ** 32 - 2
const MOST_GROUPS = 1024
const QEMU_NAME = /^qemu-(system-.+|kvm)$/

/** @throws `ERR_VMCG_INVALID_ARGUMENT` naming the argument or option. */
export function checkLaunch(file: string, args: readonly string[], options: LaunchOptions): CheckedLaunch {
  checkActOptions(options)
  checkString('file', file)
  if (file === '') throw badArgument('file', 'the path or name of a program', file)
  checkList('args', args)
  for (const [index, arg] of args.entries()) checkString(`args[${index}]`, arg)
  const {
    cwd,
    env = process.env,
    uid,
    gid,
    groups,
    signal,
    hypervisor,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  } = options
  checkOptionalText('cwd', cwd)
  if (cwd !== undefined) checkString('cwd', cwd)
  checkObject('env', env)
  for (const [name, value] of Object.entries(env)) if (value !== undefined) checkString(`env.${name}`, value)
  checkOptionalId('uid', uid)
  checkOptionalId('gid', gid)
  if (groups !== undefined) checkGroups(groups)
  checkOptionalBoolean('detached', options.detached)
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0 && timeoutMs <= LONGEST_TIMER_MS)) {
    throw badArgument('timeoutMs', `a number of milliseconds, 1 to ${LONGEST_TIMER_MS}`, timeoutMs)
  }
  if (hypervisor !== undefined && hypervisor !== 'qemu' && hypervisor !== 'none') {
    throw badArgument('hypervisor', "'qemu' or 'none'", hypervisor)
  }
  const isQemu = hypervisor === undefined ? QEMU_NAME.test(basename(file)) : hypervisor === 'qemu'
  if (isQemu && args.some((arg) => /^--?daemonize$/.test(arg))) throw daemonized()
  const order: LaunchOrder = {
    ...{ file, args: [...args], env: { ...env }, cwd, uid, gid, groups },
    stdio: stdioOf(options.stdio ?? 'pipe'),
    rlimits: limitsOf(options.rlimits ?? {}),
    isDetached: options.detached ?? false,
  }
  return { order, isQemu, timeoutMs, signal }
}

function checkString(name: string, value: unknown): void {
  if (typeof value !== 'string' || value.includes('\0'))
    throw badArgument(name, 'a string without NUL', value)
}

function checkOptionalId(name: string, value: unknown): void {
  if (value === undefined || isWhole(value, LARGEST_ID)) return
  throw badArgument(name, `a whole number, 0 to ${LARGEST_ID}`, value)
}

function checkGroups(groups: readonly number[]): void {
  checkList('groups', groups)
  if (groups.length > MOST_GROUPS) throw badArgument('groups', `a list of at most ${MOST_GROUPS}`, groups)
  for (const [index, group] of groups.entries()) checkOptionalId(`groups[${index}]`, group)
}

function isWhole(value: unknown, largest: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= largest
}

const MOST_DESCRIPTORS = 256

function stdioOf(stdio: LaunchStdio | readonly LaunchStdio[]): readonly number[] {
  const list = typeof stdio === 'object' ? stdio : [stdio, stdio, stdio]
  checkList('stdio', list)
  if (list.length > MOST_DESCRIPTORS)
    throw badArgument('stdio', `a list of at most ${MOST_DESCRIPTORS}`, list)
  const given = list.map((entry, fd) => descriptorOf(entry, fd, `stdio[${fd}]`))
  // As in Node: what of the first three is left out is a pipe.
  return [...given, ...[PIPE, PIPE, PIPE].slice(given.length)]
}

function descriptorOf(entry: LaunchStdio, fd: number, name: string): number {
  if (entry === 'ignore') return NULL_DEVICE
  if (entry === 'inherit') return fd
  if (entry === 'pipe' && fd < 3) return PIPE
  if (isWhole(entry, LONGEST_TIMER_MS)) {
    if (!isOpen(entry)) throw badArgument(name, 'a descriptor that is open', entry)
    return entry
  }
  const words = fd < 3 ? "'pipe', 'ignore', 'inherit'" : "'ignore', 'inherit'"
  throw badArgument(name, `${words} or a descriptor`, entry)
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd)
    return true
  } catch {
    return false
  }
}

function limitsOf(rlimits: NonNullable<LaunchOptions['rlimits']>): readonly LaunchLimit[] {
  checkObject('rlimits', rlimits)
  return Object.entries(rlimits).map(([name, wanted]): LaunchLimit => {
    const resource = Object.entries(RESOURCES).find(([known]) => known === name)?.[1]
    if (resource === undefined)
      throw badArgument('rlimits', `limits of ${Object.keys(RESOURCES).join(', ')}`, name)
    const { soft, hard } =
      typeof wanted === 'object' && wanted !== null ? wanted : { soft: wanted, hard: wanted }
    for (const [which, value] of [
      ['soft', soft],
      ['hard', hard],
    ] as const) {
      if (value === 'unlimited' || isWhole(value, Number.MAX_SAFE_INTEGER)) continue
      throw badArgument(`rlimits.${name}, ${which},`, "a whole number of 0 or more, or 'unlimited'", value)
    }
    if (exceeds(soft, hard)) {
      throw badArgument(`rlimits.${name}.soft`, `at most ${hard}, the hard limit`, soft)
    }
    return { resource, name, soft, hard }
  })
}

function exceeds(soft: ResourceLimit, hard: ResourceLimit): boolean {
  return hard !== 'unlimited' && (soft === 'unlimited' || soft > hard)
}

function daemonized(): VmcgError {
  return new VmcgError(
    'ERR_VMCG_INVALID_ARGUMENT',
    'args hold -daemonize: QEMU would leave the process that was launched',
    {
      value: '-daemonize',
      hint: 'leave it out, and pass detached: true',
    },
  )
}
