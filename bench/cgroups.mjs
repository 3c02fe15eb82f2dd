import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { detectHost } from 'vmcg'
import { Ending } from './ending.mjs'

/** @import { Hierarchy } from 'vmcg' */

/** The cgroup that everything of a run is in, in each hierarchy. */
export const PARENT = `vmcg-test-bench-${process.pid}`
/** Where the threads of VMs are when no driver has placed them. */
export const HOME = `${PARENT}/home`

/** The cgroups of a case of a trial. */
export class BenchCgroups {
  #host = detectHost()

  /**
   * The hierarchies of cgroup v1 that have these controllers, in their order.
   *
   * @param {readonly string[]} controllers
   * @returns {Hierarchy[] | undefined} undefined where one of them is not on v1
   */
  v1(controllers) {
    const found = controllers.map((name) => this.#host.controller(name))
    return found.every((hierarchy) => hierarchy?.version === 1)
      ? found.filter((hierarchy) => hierarchy !== undefined)
      : undefined
  }

  /** @returns {Hierarchy | undefined} also where v1 has all controllers */
  v2() {
    return this.#host.hierarchies.find(({ version }) => version === 2)
  }

  /**
   * Makes a cgroup below the parent of this run, with the CPUs and memory nodes of the parent where it is a cpuset.
   *
   * @param {Hierarchy} hierarchy
   * @param {string} path below the mount point, beginning with {@link PARENT}
   * @param {{ isThreaded?: boolean }} [options] v2
   * @returns {string} its folder
   */
  make({ mountPoint, controllers, version }, path, { isThreaded = false } = {}) {
    let folder = mountPoint
    for (const name of path.split('/')) {
      const above = folder
      folder = join(folder, name)
      if (existsSync(folder)) continue
      makeFolder(folder)
      if (controllers.includes('cpuset') && version === 1) {
        for (const knob of ['cpuset.cpus', 'cpuset.mems']) {
          writeFileSync(join(folder, knob), readFileSync(join(above, knob)))
        }
      }
    }
    if (isThreaded) writeFileSync(join(folder, 'cgroup.type'), 'threaded')
    return folder
  }

  /** Removes all that is below the parent of this run, also what drivers have made, and then the parent. */
  async remove() {
    for (const { mountPoint } of this.#host.hierarchies) await removeCgroup(join(mountPoint, PARENT))
  }
}

/** @param {string} folder */
function makeFolder(folder) {
  try {
    mkdirSync(folder)
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error)
    throw new Ending(
      `cannot make the cgroup ${folder} (${code}): run it as root, where cgroups can be written`,
    )
  }
}

/**
 * Removes a cgroup from its leaves up. Waits for those that end in it.
 *
 * @param {string} folder which need not be there
 */
export async function removeCgroup(folder) {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(folder, entry.name))
  }
  for (let attempt = 0; ; attempt += 1) {
    try {
      rmdirSync(folder)
      return
    } catch (error) {
      // Threads that have ended can be counted for some moments more.
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EBUSY' || attempt === 200) throw error
      await sleep(attempt)
    }
  }
}
