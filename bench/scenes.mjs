import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PARENT, removeCgroup } from './cgroups.mjs'

/** @import { Hierarchy } from 'vmcg' */
/** @import { Stage } from './stage.mjs' */

/** What a sandbox of this bench has on v1, in this order: the hierarchies that take single threads. */
export const SANDBOX_CONTROLLERS = ['cpu', 'cpuacct', 'cpuset']

export const NO_V1 = `there is no cgroup v1 with ${SANDBOX_CONTROLLERS.join(', ')}`

/** A gap in all moves after which the next one waits for an RCU grace period; 20 ms are enough. */
const QUIET_MS = 50

/** @param {boolean} isQuiet */
export async function waitQuietly(isQuiet) {
  if (isQuiet) await sleep(QUIET_MS)
}

/**
 * A cgroup for each driver that makes sandboxes in it, and what it may give to them.
 *
 * @param {Stage} stage
 * @param {readonly Hierarchy[]} hierarchies of {@link SANDBOX_CONTROLLERS}
 */
export function sandboxPlaces(stage, hierarchies) {
  const cpuset = hierarchies[2]?.mountPoint ?? ''
  const cpus = readFileSync(join(cpuset, 'cpuset.cpus'), 'utf8').trim()
  const nodes = readFileSync(join(cpuset, 'cpuset.mems'), 'utf8').trim()
  /** @param {string} driver */
  const path = (driver) => `${PARENT}/${driver}`
  return {
    cpus,
    nodes,
    path,
    /** @param {string} driver @returns {string[]} made */
    folders: (driver) => hierarchies.map((hierarchy) => stage.cgroups.make(hierarchy, path(driver))),
    /** What vmcg's drivers take: its parent, its state, CPUs, nodes. @returns {string[]} */
    vmcgArgs: () => [`/${path('vmcg')}`, stateFolder(stage), cpus, nodes],
    /** What `floor-careful` takes first: its parent, its state, mount points. @returns {string[]} */
    carefulArgs: () => [
      path('floor-careful'),
      stateFolder(stage),
      ...hierarchies.map(({ mountPoint }) => mountPoint),
    ],
    /** Removes the sandboxes that a driver has made. @param {string} driver */
    clear: async (driver) => {
      for (const { mountPoint } of hierarchies) await removeCgroup(join(mountPoint, path(driver)))
    },
  }
}

/** @param {Stage} stage @returns {string} for the states of sandboxes */
export function stateFolder(stage) {
  const folder = join(stage.folder, 'state')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder
}

/**
 * Folders as the driver `opencontainers` takes them.
 *
 * @param {readonly string[]} controllers
 * @param {readonly string[]} folders
 */
export function byController(controllers, folders) {
  return controllers.map((name, index) => `${name}=${folders[index]}`).join(',')
}
