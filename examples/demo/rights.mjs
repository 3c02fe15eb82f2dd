import { accessSync, constants } from 'node:fs'
import { CgroupError, detectHost } from 'vmcg'

/**
 * Asks whether cgroups can be made here, before anything is started.
 *
 * @throws {CgroupError} the kernel's code, as `apply()` would later
 */
export function checkRights() {
  const host = detectHost()
  for (const controller of ['cpu', 'cpuacct']) {
    const path = host.controller(controller)?.mountPoint
    if (path === undefined) continue
    try {
      accessSync(path, constants.W_OK)
    } catch (error) {
      const { code = 'EACCES' } = /** @type {NodeJS.ErrnoException} */ (error)
      throw new CgroupError(code, `making cgroups needs write access to ${path}`, { path })
    }
  }
}
