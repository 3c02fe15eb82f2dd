import { existsSync, lstatSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { VmcgError } from '../errors'

/** `/run/vmcg` for root; below `$XDG_RUNTIME_DIR` for everybody else. Root ignores that variable: others can set it. */
function defaultStateDirectory(): string {
  const uid = process.geteuid?.() ?? 0
  if (uid === 0) return '/run/vmcg'
  return join(process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${uid}`, 'vmcg')
}

/** The one that is asked for, which stays the same when the process changes its working directory. */
export function stateDirectoryOf(asked: string | undefined): string {
  return resolve(asked ?? defaultStateDirectory())
}

/**
 * Makes the state directory (0700) where it is missing. It decides which directories are ours to remove, so one that
 * others could write to is refused.
 *
 * @throws `ERR_VMCG_STATE` for a link, another owner, or a mode that lets others in.
 */
export function prepareStateDirectory(directory: string): void {
  try {
    makeMissing(directory)
  } catch (cause) {
    throw new VmcgError('ERR_VMCG_STATE', `the state directory ${directory} cannot be made`, {
      cause,
      path: directory,
      hint: 'run as root, or pass stateDir',
    })
  }
  checkStateDirectory(directory)
}

/** With what is missing above it. Node's own way there does not come back from where none can be made, as below /proc. */
function makeMissing(directory: string): void {
  if (existsSync(directory)) return
  const above = dirname(directory)
  if (above !== directory) makeMissing(above)
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    // Somebody else's, made meanwhile, is looked at like any other.
    if (Reflect.get(Object(error), 'code') !== 'EEXIST') throw error
  }
}

/** @throws `ERR_VMCG_STATE` as {@link prepareStateDirectory}; `ENOENT` for one that is not there. */
export function checkStateDirectory(directory: string): void {
  const stat = lstatSync(directory)
  const refuse = (what: string, hint: string) =>
    new VmcgError('ERR_VMCG_STATE', `the state directory ${directory} ${what}`, { path: directory, hint })
  if (!stat.isDirectory()) throw refuse('is not a directory', `ls -ld ${directory}`)
  if (stat.uid !== process.geteuid?.()) throw refuse(`belongs to uid ${stat.uid}`, `ls -ld ${directory}`)
  if ((stat.mode & 0o077) !== 0)
    throw refuse('is open to others', `pass a directory of its own, such as ${join(directory, 'vmcg')}`)
}
