import { VmcgError } from '../errors'
import { checkObject } from './argument'
import { isKernelFileName } from './kernel-names'
import { quote, short } from './quote'
import { looksLikeSystemd, systemdUnit } from './systemd-path'

export { isSystemdCgroupPath, type SystemdUnit, systemdUnit } from './systemd-path'

/** Where Kata puts the cgroups of containers whose path is relative, and what their names begin with. */
const RELATIVE_ROOT = '/vc'
const PREFIX = 'kata_'

/** NAME_MAX and PATH_MAX of include/uapi/linux/limits.h; the latter counts the NUL at the end. */
const MAX_NAME_BYTES = 255
const MAX_PATH_BYTES = 4095

const EXAMPLE = 'pass a path such as /pods/sandbox-1, or system.slice:vmcg:sandbox-1 for a systemd unit'

function refuse(path: unknown, why: string): VmcgError {
  return new VmcgError('ERR_VMCG_INVALID_PATH', `${quote(path)} is no cgroups path: ${why}`, {
    value: short(path),
    hint: EXAMPLE,
  })
}

export interface NormalizeCgroupPathOptions {
  /** The cgroup is made by systemd, so that the path must be of the form `slice:prefix:name`; default false. */
  readonly systemd?: boolean | undefined
}

/**
 * Makes of the `cgroupsPath` of an OCI config the path of a sandbox's own cgroup, below each hierarchy's mount point.
 * An absolute path stays where it is, a relative one goes below `/vc`; the last name begins with `kata_`, once, so that
 * the result is also its own result. A systemd path is returned as it is.
 *
 * @param path OCI `linux.cgroupsPath`, such as `'/pods/pod1/sandbox'`, `'sandbox'` or `'system.slice:vmcg:sandbox'`.
 * @returns Without repeated slashes, `.` and `..`: `a/../b` is `b`.
 * @throws `ERR_VMCG_INVALID_PATH` for a path that leads out of its root, names no cgroup (empty, `/`, `.`), has a NUL,
 *   a newline, half a character or a name of a kernel file, is too long for the kernel, or is half of a systemd path; and, with
 *   `systemd`, for a path that is not of that form.
 *
 * Source: Kata, virtcontainers/pkg/cgroups (ValidCgroupPath), which drops a `..` at the root and adds the prefix again
 * at each call; both are mended here.
 */
export function normalizeCgroupPath(path: string, options: NormalizeCgroupPathOptions = {}): string {
  if (typeof path !== 'string') throw refuse(path, 'it must be a string')
  checkObject('options', options)
  if (options.systemd === true || looksLikeSystemd(path)) {
    systemdUnit(path)
    return path
  }
  if (path === '') throw refuse(path, 'it is empty, and two sandboxes would share one cgroup')
  if (/[\0\n]/.test(path)) throw refuse(path, 'it holds a NUL or a newline')
  if (/\p{Surrogate}/u.test(path)) throw refuse(path, 'it is no well-formed text')
  const names = cleanNames(path)
  const last = names.at(-1)
  if (last === undefined) throw refuse(path, 'it names no cgroup below the root')
  const named = [...names.slice(0, -1), last.startsWith(PREFIX) ? last : `${PREFIX}${last}`]
  for (const name of named) checkName(path, name)
  const root = path.startsWith('/') ? '' : RELATIVE_ROOT
  const normal = `${root}/${named.join('/')}`
  if (Buffer.byteLength(normal) > MAX_PATH_BYTES)
    throw refuse(path, `it is longer than ${MAX_PATH_BYTES} bytes`)
  return normal
}

/** The names of a path, each `..` taken together with the name before it. */
function cleanNames(path: string): string[] {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue
    if (name !== '..') names.push(name)
    else if (names.pop() === undefined) throw refuse(path, '".." leads out of the hierarchy')
  }
  return names
}

function checkName(path: string, name: string): void {
  if (isKernelFileName(name)) throw refuse(path, `${quote(name)} is a name of a kernel file`)
  if (Buffer.byteLength(name) > MAX_NAME_BYTES)
    throw refuse(path, `a name is longer than ${MAX_NAME_BYTES} bytes`)
}
