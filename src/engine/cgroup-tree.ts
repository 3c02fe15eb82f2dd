import { CgroupError, errnoName, errnoText, VmcgError } from '../errors'
import type { Hierarchy } from '../host/hierarchies'
import { readLineage } from '../host/process'
import { quote, short } from '../model/quote'
import { Batch, type OpResult, resultText } from './batch'
import { type Roots, type SubmitOptions, submit } from './lane'
import { OpCode } from './native'

const ENOENT = 2
const ENODEV = 19
const EOPNOTSUPP = 95

/** True for a cgroup that is not there: ENOENT, or ENODEV where it went between the open and the read. */
export function isGone(errno: number): boolean {
  return errno === ENOENT || errno === ENODEV
}

/** A file of a cgroup, as operations name it: relative to the mount point. */
export function cgroupFile(path: string, file: string): string {
  return path === '/' ? file : `${path.slice(1)}/${file}`
}

/**
 * Refuses paths that could mean more than one cgroup of ours: the root of a hierarchy holds every process of the host.
 *
 * @throws `ERR_VMCG_INVALID_PATH` for `/`, for what does not begin with `/`, and for empty names, `.` and `..`.
 */
export function requireCgroupBelowRoot(path: string): void {
  const [first, ...names] = path.split('/')
  if (first === '' && names.length > 0 && names.every((name) => !['', '.', '..'].includes(name))) return
  throw new VmcgError('ERR_VMCG_INVALID_PATH', `${quote(path)} is no cgroup below the root of a hierarchy`, {
    value: short(path),
    hint: 'pass a path below the mount point, such as /vc/kata_sandbox1',
  })
}

/** The errors of one file of one cgroup. `code` is the kernel's, `ENOENT` also for a cgroup that went meanwhile. */
export function fileError(verb: 'read' | 'write', path: string, errno: number, value?: string): CgroupError {
  const known = isGone(errno) ? ENOENT : errno
  const what = value === undefined ? path : `${value} to ${path}`
  return new CgroupError(errnoName(known), `cannot ${verb} ${what}: ${errnoText(known)}`, {
    errno: -known,
    syscall: verb,
    path,
    value,
  })
}

/**
 * The ids in a cgroup and in all cgroups below it, of several hierarchies together, ascending and each once. Where the
 * cgroup does not exist there are none. The lists are opened afresh: a descriptor kept open shows an old one.
 *
 * On v2 the kernel tells the processes of threaded cgroups at their thread root only (EOPNOTSUPP elsewhere). That is
 * somewhere on the way down from `path`; where it is above, they are found by the threads.
 *
 * @param file `cgroup.procs` for processes (those with any thread inside), `tasks` for threads, also on v2, which calls
 *   that list `cgroup.threads`.
 * @throws the kernel's error for a directory or list that cannot be read.
 */
export async function idsBelow(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  file: 'cgroup.procs' | 'tasks',
  options: SubmitOptions,
): Promise<readonly number[]> {
  const ids = new Set<number>()
  let level = hierarchies.map((hierarchy) => ({ hierarchy, path }))
  while (level.length > 0) {
    const batch = new Batch()
    for (const cgroup of level) {
      const root = roots.id(cgroup.hierarchy.mountPoint)
      const list = cgroupFile(cgroup.path, listFile(cgroup.hierarchy, file))
      batch.nextGroup()
      // Directories after ids: who is moved down between the two is found below.
      batch.add(OpCode.Read, root, list, { isOptional: true })
      batch.add(OpCode.ListDirs, root, cgroupFile(cgroup.path, '.'))
    }
    const results = await submit(batch, options)
    const next: typeof level = []
    for (const [index, cgroup] of level.entries()) {
      const { hierarchy } = cgroup
      const directory = `${hierarchy.mountPoint}${cgroup.path}`
      const listed = results[2 * index]
      if (listed?.errno !== EOPNOTSUPP) {
        for (const id of words(listed, `${directory}/${listFile(hierarchy, file)}`, '\n')) ids.add(Number(id))
      } else if (cgroup.path === path) {
        for (const id of await processesBelow(roots, hierarchy, path, options)) ids.add(id)
      }
      for (const name of words(results[2 * index + 1], directory, '\0')) {
        next.push({ hierarchy, path: `${cgroup.path}/${name}` })
      }
    }
    level = next
  }
  return [...ids].sort((a, b) => a - b)
}

/**
 * The paths of a cgroup and of all cgroups below it, from the top; none where it does not exist.
 *
 * @throws the kernel's error for a directory that cannot be read.
 */
export async function cgroupsBelow(
  roots: Roots,
  hierarchy: Hierarchy,
  path: string,
  options: SubmitOptions,
): Promise<readonly string[]> {
  const found: string[] = []
  let level = [path]
  while (level.length > 0) {
    const batch = new Batch()
    for (const cgroup of level) {
      batch.nextGroup()
      batch.add(OpCode.ListDirs, roots.id(hierarchy.mountPoint), cgroupFile(cgroup, '.'))
    }
    const results = await submit(batch, options)
    const there = level.flatMap((cgroup, index) => {
      const result = results[index]
      return result === undefined || isGone(result.errno) ? [] : [{ cgroup, result }]
    })
    found.push(...there.map(({ cgroup }) => cgroup))
    level = there.flatMap(({ cgroup, result }) =>
      words(result, `${hierarchy.mountPoint}${cgroup}`, '\0').map((name) => `${cgroup}/${name}`),
    )
  }
  return found
}

function listFile({ version }: Hierarchy, file: 'cgroup.procs' | 'tasks'): string {
  return version === 2 && file === 'tasks' ? 'cgroup.threads' : file
}

/** The processes that the threads of a threaded cgroup belong to. */
async function processesBelow(
  roots: Roots,
  hierarchy: Hierarchy,
  path: string,
  options: SubmitOptions,
): Promise<readonly number[]> {
  const tids = await idsBelow(roots, [hierarchy], path, 'tasks', options)
  return tids.flatMap((tid) => readLineage(tid)?.tgid ?? [])
}

/** What a list holds; nothing where the cgroup is gone. */
function words(result: OpResult | undefined, path: string, end: '\n' | '\0'): readonly string[] {
  if (result === undefined || isGone(result.errno)) return []
  if (result.errno !== 0) throw fileError('read', path, result.errno)
  return resultText(result)
    .split(end)
    .filter((word) => word !== '')
}
