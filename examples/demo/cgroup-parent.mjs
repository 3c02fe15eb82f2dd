import { rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { detectHost } from 'vmcg'
import { sayRemoved } from './output.mjs'

/**
 * A parent for the demo's sandbox that nobody else uses. vmcg makes it, and leaves it, since parents are shared by
 * sandboxes; this one is the demo's own to remove.
 */
export const PARENT = `/vmcg-demo-${process.pid}`

/** Removes the parent from every hierarchy that has it. */
export function removeParent() {
  const removed = detectHost()
    .hierarchies.filter(({ mountPoint }) => removeDirectory(join(mountPoint, PARENT)))
    .map(({ id }) => `${id}:${PARENT}  (the demo's own parent)`)
  sayRemoved(removed)
}

/**
 * @param {string} path
 * @returns {boolean} false when there is none
 */
function removeDirectory(path) {
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return false
    throw error
  }
}
