import { existsSync } from 'node:fs'
import { CgroupError, VmcgError } from './errors'
import { describeHierarchies, type Host } from './host/detect'
import type { CgroupManagerConfig } from './manager-options'
import { checkObject } from './model/argument'
import { isSystemdCgroupPath, normalizeCgroupPath } from './model/cgroup-path'
import { checkParentPath } from './model/parent-path'
import { quote, short } from './model/quote'
import { checkSandboxId } from './model/sandbox-id'

/** Where a managed cgroup is, and in which hierarchies it is taken over from somebody else. */
export interface ManagedPlace {
  /** Below the mount point of each hierarchy. */
  readonly path: string
  /** Ids of hierarchies; empty: it is our own, in all of them. */
  readonly takenOver: readonly string[]
}

/** Always put before an id, also where it is there: two ids are two cgroups. */
const ID_PREFIX = '/vc/kata_'

/**
 * The place that a config names: by `paths` (cgroups that exist), else by `cgroupsPath`, else by `id`.
 *
 * @throws `ERR_VMCG_INVALID_PATH` when none is given (two managers must not share a cgroup by accident), when the path
 *   is malformed, and when `paths` lie in different places; `ERR_VMCG_INVALID_ID`, as for a sandbox;
 *   `ERR_VMCG_UNSUPPORTED` for a systemd path, and for another driver; `ERR_VMCG_NO_CONTROLLER` for a controller in
 *   `paths` that is not mounted; `ENOENT` for a directory in `paths` that is not there.
 */
export function managedPlace(config: CgroupManagerConfig, host: Host): ManagedPlace {
  const { driver } = config
  if (driver !== undefined && driver !== 'cgroupfs') throw otherDriver(driver)
  if (config.paths !== undefined) checkObject('paths', config.paths)
  if (config.paths !== undefined && Object.keys(config.paths).length > 0)
    return takenOverPlace(config.paths, host)
  const given = config.cgroupsPath || (config.id && `${ID_PREFIX}${checkSandboxId(config.id)}`)
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

function takenOverPlace(paths: Readonly<Record<string, string>>, host: Host): ManagedPlace {
  const places = Object.entries(paths).map(([controller, directory]) => {
    const hierarchy = host.controller(controller)
    if (hierarchy === undefined || hierarchy.version !== 1) {
      throw new VmcgError(
        'ERR_VMCG_NO_CONTROLLER',
        `paths.${controller}: it is not mounted as cgroup v1; this host has: ${describeHierarchies(host)}`,
        { value: controller },
      )
    }
    const prefix = `${hierarchy.mountPoint}/`
    if (typeof directory !== 'string') {
      throw invalid(`paths.${controller} must be the path of a directory, not ${quote(directory)}`, directory)
    }
    if (!directory.startsWith(prefix)) {
      throw invalid(
        `paths.${controller} (${quote(directory)}) is not below ${hierarchy.mountPoint}`,
        directory,
      )
    }
    return { id: hierarchy.id, path: checkParentPath(`/${directory.slice(prefix.length)}`) }
  })
  const [first] = places
  if (first === undefined || first.path === '/') throw invalid('paths name the root of a hierarchy', '/')
  const other = places.find(({ path }) => path !== first.path)
  if (other !== undefined) {
    throw invalid(
      `paths lie in different places: ${first.id}:${first.path} and ${other.id}:${other.path}`,
      other.path,
    )
  }
  for (const [controller, directory] of Object.entries(paths)) refuseMissing(controller, directory)
  return { path: first.path, takenOver: [...new Set(places.map(({ id }) => id))] }
}

/** Made silently, a cgroup by a misspelt path would be an empty one, and who was to be limited is somewhere else. */
function refuseMissing(controller: string, directory: string): void {
  if (existsSync(directory)) return
  throw new CgroupError(
    'ENOENT',
    `paths.${controller}: there is no cgroup ${directory}, and paths are for those that exist`,
    {
      errno: -2,
      path: directory,
      hint: 'to have cgroups made, pass cgroupsPath or an id instead; to go on with what vmcg has made, restore()',
    },
  )
}

function otherDriver(driver: unknown): VmcgError {
  const message = `the driver ${quote(driver)} is not served by this version of vmcg`
  return new VmcgError('ERR_VMCG_UNSUPPORTED', message, {
    value: short(driver),
    hint: "leave it out, or pass 'cgroupfs'",
  })
}

function invalid(message: string, value: unknown): VmcgError {
  return new VmcgError('ERR_VMCG_INVALID_PATH', message, {
    value: short(value),
    hint: 'give each controller the same cgroup below its own mount point',
  })
}
