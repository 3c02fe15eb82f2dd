import { constants } from 'node:fs'
import { native } from '../engine/native'
import { errnoText, VmcgError } from '../errors'

/** What a path leads to. */
export interface FoundFile {
  readonly path: string
  /** 0, or why the path cannot be looked up; then the rest means nothing. */
  readonly errno: number
  /** In words, such as `'a directory'`. */
  readonly what: string
  /** undefined: no device. */
  readonly deviceType: 'b' | 'c' | undefined
  readonly major: number
  readonly minor: number
}

const FILE_TYPES: ReadonlyMap<number, string> = new Map([
  [constants.S_IFBLK, 'a block device'],
  [constants.S_IFCHR, 'a character device'],
  [constants.S_IFDIR, 'a directory'],
  [constants.S_IFIFO, 'a pipe'],
  [constants.S_IFREG, 'a regular file'],
  [constants.S_IFSOCK, 'a socket'],
])

const DEVICE_TYPES: ReadonlyMap<number, 'b' | 'c'> = new Map([
  [constants.S_IFBLK, 'b'],
  [constants.S_IFCHR, 'c'],
])

const WORDS_PER_PATH = 4

/**
 * Looks the paths up, all by one call, following symbolic links. A path must not hold NUL. Failures are in the result.
 */
export function lookUpDevices(paths: readonly string[]): FoundFile[] {
  if (paths.length === 0) return []
  const words = new Int32Array(paths.length * WORDS_PER_PATH)
  const result = native().statDevices(paths.join('\0'), words)
  if (result < 0) {
    throw new VmcgError(
      'ERR_VMCG_INVALID_ARGUMENT',
      `the addon refuses ${paths.length} paths: ${errnoText(-result)}`,
    )
  }
  return paths.map((path, index) => {
    const [errno = 0, fileType = 0, major = 0, minor = 0] = words.subarray(index * WORDS_PER_PATH)
    const what = FILE_TYPES.get(fileType) ?? 'of an unknown type'
    return { path, errno, what, deviceType: DEVICE_TYPES.get(fileType), major, minor }
  })
}
