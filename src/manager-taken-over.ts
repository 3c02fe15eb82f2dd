import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DrivenPlace } from './driver'
import { CgroupError, VmcgError } from './errors'
import { describeHierarchies, type Host } from './host/detect'
import type { Hierarchy } from './host/hierarchies'
import { checkParentPath } from './model/parent-path'
import { quote, short } from './model/quote'
import { threadsFile, UNIFIED } from './model/unified'
import { TYPE } from './plan/after-v2'

/** Where a managed cgroup is, and in which hierarchies it is taken over from somebody else. */
export interface ManagedPlace {
  /** Below the mount point of each hierarchy. */
  readonly path: string
  /** Ids of hierarchies; empty: it is our own, in all of them. */
  readonly takenOver: readonly string[]
  /** Where systemd is to make a unit for it. */
  readonly driven?: DrivenPlace | undefined
}

/**
 * The place of cgroups that exist, by controller; `unified` names that of v2, whatever controllers it has.
 *
 * @throws `ERR_VMCG_INVALID_PATH` for what is no path below a mount point, and when they lie in different places;
 *   `ERR_VMCG_NO_CONTROLLER` for a controller that is not mounted; `ENOENT` for a directory that is not there;
 *   `ERR_VMCG_CGROUP_TYPE` for a cgroup of v2 that cannot hold whole processes by itself.
 */
export function takenOverPlace(paths: Readonly<Record<string, string>>, host: Host): ManagedPlace {
  const places = Object.entries(paths).map(([controller, directory]) => ({
    controller,
    directory,
    ...placeOf(controller, directory, host),
  }))
  const [first] = places
  if (first === undefined || first.path === '/') throw invalid('paths name the root of a hierarchy', '/')
  const other = places.find(({ path }) => path !== first.path)
  if (other !== undefined) {
    throw invalid(
      `paths lie in different places: ${first.hierarchy.id}:${first.path} and ${other.hierarchy.id}:${other.path}`,
      other.path,
    )
  }
  for (const { controller, directory, hierarchy } of places) {
    refuseMissing(controller, directory)
    refuseOther(controller, directory, hierarchy)
    if (hierarchy.version === 2) refuseUnfit(controller, directory)
  }
  return { path: first.path, takenOver: [...new Set(places.map(({ hierarchy }) => hierarchy.id))] }
}

function placeOf(
  controller: string,
  directory: unknown,
  host: Host,
): { readonly hierarchy: Hierarchy; readonly path: string } {
  const hierarchy =
    controller === UNIFIED ? host.hierarchies.find(({ id }) => id === UNIFIED) : host.controller(controller)
  if (hierarchy === undefined) {
    throw new VmcgError(
      'ERR_VMCG_NO_CONTROLLER',
      `paths.${controller}: it is not mounted; this host has: ${describeHierarchies(host)}`,
      { value: controller },
    )
  }
  if (typeof directory !== 'string') {
    throw invalid(`paths.${controller} must be the path of a directory, not ${quote(directory)}`, directory)
  }
  const prefix = `${hierarchy.mountPoint}/`
  if (!directory.startsWith(prefix)) {
    throw invalid(`paths.${controller} (${quote(directory)}) is not below ${hierarchy.mountPoint}`, directory)
  }
  return { hierarchy, path: checkParentPath(`/${directory.slice(prefix.length)}`) }
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

/**
 * What else is mounted below the mount point of a hierarchy, such as those of v1 below that of v2 on some hybrid hosts,
 * is not of it: its paths begin with the same names.
 */
function refuseOther(controller: string, directory: string, { id, mountPoint }: Hierarchy): void {
  if (existsSync(join(directory, threadsFile(id)))) return
  throw invalid(
    `paths.${controller}: ${directory} is no cgroup of the hierarchy at ${mountPoint}, where ${controller} is on this host`,
    directory,
  )
}

/**
 * A managed cgroup of v2 holds whole processes. Among threaded ones the kernel limits none of them as a whole, and one
 * that hands controllers down takes nobody.
 *
 * Source: kernel, Documentation/admin-guide/cgroup-v2.rst, "Threads" and "No Internal Process Constraint".
 */
function refuseUnfit(controller: string, directory: string): void {
  const type = readFileSync(join(directory, TYPE), 'utf8').trimEnd()
  if (type !== 'domain') {
    throw new CgroupError(
      'ERR_VMCG_CGROUP_TYPE',
      `paths.${controller}: ${directory} is "${type}", one of somebody's threaded cgroups: no process is limited there by itself`,
      { path: join(directory, TYPE), value: type, hint: 'take over a cgroup whose cgroup.type is "domain"' },
    )
  }
  const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  if (below.length === 0) return
  throw new CgroupError(
    'ERR_VMCG_CGROUP_TYPE',
    `paths.${controller}: ${directory} has cgroups of its own (${short(below.map(({ name }) => name).join(', '))}), which would be held to its limits, and stay in the way of new processes`,
    { path: directory, hint: `take over one that has none, or remove them first: ls -d ${directory}/*/` },
  )
}

function invalid(message: string, value: unknown): VmcgError {
  return new VmcgError('ERR_VMCG_INVALID_PATH', message, {
    value: short(value),
    hint: 'give each controller the same cgroup below its own mount point',
  })
}
