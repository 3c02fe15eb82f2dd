import { constants, readFileSync } from 'node:fs'
import { access } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CgroupError } from '../errors'
import type { Host } from './detect'
import type { Hierarchy } from './hierarchies'

export interface RootlessOptions {
  /** Where proc is mounted. Default: `/proc`. */
  readonly procRoot?: string | undefined
}

/**
 * True when this process is not the host's root: its effective user is another, or its user namespace is not the
 * host's, where user 0 owns only what was given to it. One small file is read, synchronously.
 *
 * A namespace that maps every id to itself counts as the host's own: it cannot be told apart by its map, and where it
 * may not write it gets the kernel's error.
 *
 * @throws Node's own error when proc is not mounted.
 */
export function rootless(host: Pick<Host, 'isRoot'>, options: RootlessOptions = {}): boolean {
  if (!host.isRoot) return true
  return !mapsEveryIdToItself(uidMap(options.procRoot ?? '/proc'))
}

/** undefined: a kernel without user namespaces. */
function uidMap(procRoot: string): string | undefined {
  try {
    return readFileSync(join(procRoot, 'self', 'uid_map'), 'utf8')
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== 'ENOENT') throw error
    readFileSync(join(procRoot, 'self', 'stat'))
    return undefined
  }
}

/** Ids are 32 bits, and the last of them means "none". Source: user_namespaces(7). */
const EVERY_ID = 2 ** 32 - 1

/** @param map Text of /proc/<pid>/uid_map: lines of the first id inside, the first id outside, and how many. */
export function mapsEveryIdToItself(map: string | undefined): boolean {
  if (map === undefined) return true
  const [inside, outside, count] = map.trim().split(/\s+/).map(Number)
  return inside === 0 && outside === 0 && count === EVERY_ID
}

/**
 * Whether this process may make a cgroup, or use the one that is there: directories can be made in it, and processes
 * moved into it. Where it does not exist its nearest ancestor is asked, in which it would be made. Nothing is changed.
 *
 * On v1 this is so in a sub-tree whose directories, `cgroup.procs` and `tasks` were given to the user; on v2, whose
 * directories and `cgroup.procs` were, with the `cgroup.subtree_control` of the one in which a cgroup is to be made. A
 * cgroup of root's own in which the knobs alone were given away is not writable in this sense.
 *
 * @param path Below the mount point, such as `'/user/1000/vmcg'`.
 * @throws the kernel's error, such as `ENOTDIR`, for a path that cannot be looked up.
 *
 * Source: kernel, kernel/cgroup/cgroup-v1.c, __cgroup1_procs_write (whoever may open it for writing may move their own
 * processes); Documentation/admin-guide/cgroup-v2.rst, "Model of Delegation"; access(2).
 */
export async function canWrite(
  hierarchy: Pick<Hierarchy, 'mountPoint' | 'isReadOnly' | 'version'>,
  path: string,
): Promise<boolean> {
  const { mountPoint, isReadOnly, version } = hierarchy
  if (isReadOnly) return false
  for (let directory = join(mountPoint, path); ; directory = dirname(directory)) {
    const answer = await allows(directory, constants.W_OK | constants.X_OK)
    if (answer !== 'missing') {
      const isThere = directory === join(mountPoint, path)
      return answer === 'yes' && (await allowsAll(directory, isThere ? TO_USE[version] : TO_MAKE[version]))
    }
    if (directory === mountPoint || directory === '/') return false
  }
}

type Files = Readonly<Record<Hierarchy['version'], readonly string[]>>

/** `tasks` is where single threads are written, also those that are given back; only v1 has it. */
const TO_USE: Files = { 1: ['cgroup.procs', 'tasks'], 2: ['cgroup.procs'] }
/** A cgroup that is made on v1 has every knob; on v2 those of the controllers that are handed down to it. */
const TO_MAKE: Files = { 1: [], 2: ['cgroup.subtree_control'] }

async function allowsAll(directory: string, files: readonly string[]): Promise<boolean> {
  const answers = await Promise.all(files.map((file) => allows(join(directory, file))))
  return answers.every((answer) => answer === 'yes')
}

/** What the kernel says to those who may not, of three kinds. */
const REFUSALS: readonly unknown[] = ['EACCES', 'EPERM', 'EROFS']

async function allows(path: string, mode: number = constants.W_OK): Promise<'yes' | 'no' | 'missing'> {
  try {
    await access(path, mode)
    return 'yes'
  } catch (cause) {
    const code: unknown = Reflect.get(Object(cause), 'code')
    if (code === 'ENOENT') return 'missing'
    if (REFUSALS.includes(code)) return 'no'
    throw new CgroupError(String(code), `cannot look up ${path}`, { syscall: 'access', path, cause })
  }
}

/**
 * The host as a user without root's rights can use it: with those hierarchies only in which the cgroup can be made or
 * used. None are left where nothing was given to the user.
 */
export async function delegatedHost(host: Host, path: string): Promise<Host> {
  const isWritable = await Promise.all(host.hierarchies.map((hierarchy) => canWrite(hierarchy, path)))
  const hierarchies = host.hierarchies.filter((_, index) => isWritable[index] === true)
  const withheld = host.hierarchies.filter((hierarchy) => !hierarchies.includes(hierarchy))
  return Object.freeze({
    ...host,
    hierarchies,
    withheld: withheld.flatMap(({ controllers }) => controllers),
    controller: (name: string) => hierarchies.find(({ controllers }) => controllers.includes(name)),
  })
}

/**
 * Where a process can be given back to, by hierarchy: `instead` of cgroups that this user may move nobody into, such as
 * one of root's own that a session began in. The host's root may move everybody everywhere, and is not asked.
 */
export async function reachableOrigins(
  { hierarchies, withheld }: Pick<Host, 'hierarchies' | 'withheld'>,
  origins: Readonly<Record<string, string>>,
  instead: string,
): Promise<Readonly<Record<string, string>>> {
  if (withheld === undefined) return origins
  const reachable = Object.entries(origins).map(async ([id, path]) => {
    const hierarchy = hierarchies.find((each) => each.id === id)
    const isReachable = hierarchy !== undefined && (await canWrite(hierarchy, path))
    return [id, isReachable ? path : instead] as const
  })
  return Object.fromEntries(await Promise.all(reachable))
}
