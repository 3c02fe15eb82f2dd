import { chownSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..')

/**
 * Makes a folder of the checkout. It belongs to the checkout's owner: what `sudo npm run bench` leaves must not be in
 * the way of the next build.
 *
 * @param {string} path below the checkout
 */
export function makeFolder(path) {
  const folder = join(ROOT, path)
  const { uid, gid } = statSync(ROOT)
  mkdirSync(folder, { recursive: true })
  chownSync(folder, uid, gid)
  return folder
}
