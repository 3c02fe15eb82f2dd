import { basename, dirname } from 'node:path'
import { CgroupError, errnoName, errnoText, VmcgError } from '../errors'
import { Batch, resultText } from './batch'
import { submit } from './lane'
import { native, OpCode } from './native'

/**
 * Replaces a file as a whole (0600), on the lane for files: who reads it, also after a crash, finds the old text or the
 * new one. It is written beside, as `temporaryPath()`, then synced and renamed; those that wait go through each of these
 * steps together. Where it fails, the old file is as it was. One file is not to be replaced twice at once.
 *
 * @throws the kernel's error, with the system call that failed.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const directory = dirname(path)
  // Not kept open: a directory that was removed and made anew would be another one.
  const root = native().openRoot(directory)
  if (root < 0) throw refused(directory, -root, 'open')
  try {
    const batch = new Batch()
    batch.add(OpCode.ReplaceFile, root, basename(path), { value: text, arg: basename(temporaryPath(path)) })
    const [result] = await submit(batch, { lane: 'files' })
    if (result === undefined) throw new VmcgError('ERR_VMCG_NATIVE_ADDON', 'the lane has no answer', { path })
    if (result.errno !== 0) throw refused(path, result.errno, resultText(result))
  } finally {
    native().closeRoot(root)
  }
}

/** What a crash can leave behind of a replacement. */
export function temporaryPath(path: string): string {
  return `${path}.new`
}

function refused(path: string, errno: number, syscall: string): CgroupError {
  return new CgroupError(errnoName(errno), `cannot write ${path}: ${errnoText(errno)} (${syscall})`, {
    errno: -errno,
    syscall,
    path,
  })
}
