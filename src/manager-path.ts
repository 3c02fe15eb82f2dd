import { VmcgError } from './errors'
import type { Host } from './host/detect'
import type { CgroupManagerConfig } from './manager-options'
import { type ManagedPlace, takenOverPlace } from './manager-taken-over'
import { checkObject } from './model/argument'
import { isSystemdCgroupPath, normalizeCgroupPath } from './model/cgroup-path'
import { quote, short } from './model/quote'
import { checkSandboxId } from './model/sandbox-id'

/** Always put before an id, also where it is there: two ids are two cgroups. */
const ID_PREFIX = '/vc/kata_'

/**
 * The place that a config names: by `paths` (cgroups that exist), else by `cgroupsPath`, else by `id`.
 *
 * @throws `ERR_VMCG_INVALID_PATH` when none is given (two managers must not share a cgroup by accident), and when the
 *   path is malformed; `ERR_VMCG_INVALID_ID`, as for a sandbox; `ERR_VMCG_UNSUPPORTED` for a systemd path, and for
 *   another driver; for `paths` what {@link takenOverPlace} throws.
 */
export function managedPlace(config: CgroupManagerConfig, host: Host): ManagedPlace {
  const { driver } = config
  if (driver !== undefined && driver !== 'cgroupfs') throw otherDriver(driver)
  // Also where a path counts: an id that is none is a mistake.
  if (config.id) checkSandboxId(config.id)
  if (config.paths !== undefined) checkObject('paths', config.paths)
  if (config.paths !== undefined && Object.keys(config.paths).length > 0)
    return takenOverPlace(config.paths, host)
  const given = config.cgroupsPath || (config.id && `${ID_PREFIX}${config.id}`)
  if (given === undefined || given === '') {
    throw new VmcgError('ERR_VMCG_INVALID_PATH', 'a cgroup manager needs a cgroupsPath, or an id', {
      hint: 'pass id: without a path, every manager would use the same cgroup',
    })
  }
  if (isSystemdCgroupPath(given)) {
    throw new VmcgError(
      'ERR_VMCG_UNSUPPORTED',
      `the systemd driver is not served by this version of vmcg: ${quote(given)}`,
      {
        value: given,
        hint: 'pass a cgroupfs path, such as /vc/sandbox1',
      },
    )
  }
  return { path: normalizeCgroupPath(given), takenOver: [] }
}

function otherDriver(driver: unknown): VmcgError {
  const message = `the driver ${quote(driver)} is not served by this version of vmcg`
  return new VmcgError('ERR_VMCG_UNSUPPORTED', message, {
    value: short(driver),
    hint: "leave it out, or pass 'cgroupfs'",
  })
}
