import { VmcgError } from '../errors'
import { isKernelFileName } from './kernel-names'
import { quote, short } from './quote'

/** NAME_MAX and PATH_MAX of include/uapi/linux/limits.h; the latter counts the NUL at the end. */
const MAX_NAME_BYTES = 255
const MAX_PATH_BYTES = 4095

function refuse(path: unknown, why: string): VmcgError {
  return new VmcgError('ERR_VMCG_INVALID_PATH', `${quote(path)} is no parent cgroup: ${why}`, {
    value: short(path),
    hint: 'a parent is an absolute path below the mount point of the hierarchies, such as /kata',
  })
}

/**
 * Checks the path of the cgroup that sandboxes are made in, as seen below a hierarchy's mount point.
 *
 * @returns The path without repeated slashes, `.` and a slash at the end. `/` is allowed: the hierarchy's root.
 * @throws `ERR_VMCG_INVALID_PATH` when it is no string, is relative, has a `..`, a NUL or a newline (which the kernel
 *   refuses in cgroup names), a name of a kernel file such as `cpu.max`, or is too long for the kernel.
 */
export function checkParentPath(path: unknown): string {
  if (typeof path !== 'string') throw refuse(path, 'it must be a string')
  if (!path.startsWith('/')) throw refuse(path, 'it must begin with "/"')
  if (/[\0\n]/.test(path)) throw refuse(path, 'it holds a NUL or a newline')
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  for (const name of names) {
    if (name === '..') throw refuse(path, '".." could lead out of the hierarchy')
    if (isKernelFileName(name)) throw refuse(path, `${quote(name)} is a name of a kernel file`)
    if (Buffer.byteLength(name) > MAX_NAME_BYTES)
      throw refuse(path, `a name is longer than ${MAX_NAME_BYTES} bytes`)
  }
  const cleaned = `/${names.join('/')}`
  if (Buffer.byteLength(cleaned) > MAX_PATH_BYTES)
    throw refuse(path, `it is longer than ${MAX_PATH_BYTES} bytes`)
  return cleaned
}
