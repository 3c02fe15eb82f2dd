import { checkDriver, type DriverOption, defaultParent, systemdPlace } from './driver'
import { VmcgError } from './errors'
import type { Host } from './host/detect'
import type { CgroupManagerConfig } from './manager-options'
import { type ManagedPlace, takenOverPlace } from './manager-taken-over'
import { checkObject } from './model/argument'
import { normalizeCgroupPath } from './model/cgroup-path'
import { quote, short } from './model/quote'
import { checkSandboxId } from './model/sandbox-id'
import { looksLikeSystemd } from './model/systemd-path'
import { type Place, sandboxPaths } from './plan/desired'

/** Always put before an id, also where it is there: two ids are two cgroups. */
const ID_PREFIX = '/vc/kata_'

function pathOfId(id: string, driver: DriverOption): string {
  return driver === 'systemd' ? `${defaultParent()}:${id}` : `${ID_PREFIX}${id}`
}

/**
 * The place that a config names: by `paths` (cgroups that exist), else by `cgroupsPath`, else by `id`.
 *
 * @throws `ERR_VMCG_INVALID_PATH` when none is given (two managers must not share a cgroup by accident), and when the
 *   path is malformed; `ERR_VMCG_INVALID_ID`, as for a sandbox; for `paths` what {@link takenOverPlace} throws, else what
 *   {@link placeOfPath} does.
 */
export function managedPlace(config: CgroupManagerConfig, host: Host): ManagedPlace {
  const driver = checkDriver(config.driver)
  // Also where a path counts: an id that is none is a mistake.
  if (config.id) checkSandboxId(config.id)
  if (config.paths !== undefined) checkObject('paths', config.paths)
  if (config.paths !== undefined && Object.keys(config.paths).length > 0)
    return takenOverPlace(config.paths, host)
  const given = config.cgroupsPath || (config.id && pathOfId(config.id, driver))
  if (given === undefined || given === '') {
    throw new VmcgError('ERR_VMCG_INVALID_PATH', 'a cgroup manager needs a cgroupsPath, or an id', {
      hint: 'pass id: without a path, every manager would use the same cgroup',
    })
  }
  return placeOfPath(given, driver)
}

/** The path that stands for a manager in its JSON: the same cgroup for whoever restores it. */
export function restorablePath(state: Place): string {
  return state.scope ? `${state.parent}:${state.id}` : sandboxPaths(state).sandbox
}

/** The place of a path as {@link restorablePath} gives it, which is not to be put elsewhere. */
export function restoredPlace(path: string): ManagedPlace {
  return looksLikeSystemd(path) ? placeOfPath(path, 'systemd') : { path, takenOver: [] }
}

/**
 * The place of a path that somebody has given.
 *
 * @throws `ERR_VMCG_INVALID_PATH`, also for a path that the driver does not take; what {@link systemdPlace} throws.
 */
function placeOfPath(given: string, driver: DriverOption): ManagedPlace {
  const isForSystemd = driver === 'systemd' || looksLikeSystemd(given)
  if (isForSystemd && driver === 'cgroupfs') throw notForCgroupfs(given)
  if (!isForSystemd) return { path: normalizeCgroupPath(given), takenOver: [] }
  const driven = systemdPlace(given, `vmcg ${short(given)}`)
  return { path: sandboxPaths(driven).sandbox, takenOver: [], driven }
}

function notForCgroupfs(path: string): VmcgError {
  return new VmcgError('ERR_VMCG_INVALID_PATH', `${quote(path)} is a path for systemd`, {
    value: short(path),
    hint: "leave out driver: 'cgroupfs', or pass a path such as /vc/sandbox1",
  })
}
