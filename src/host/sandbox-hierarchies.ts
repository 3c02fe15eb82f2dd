import { CgroupError, VmcgError } from '../errors'
import type { Desired } from '../plan/desired'
import { neededControllers } from '../plan/needed-controllers'
import { describeHierarchies, type Host } from './detect'
import type { Hierarchy } from './hierarchies'

/**
 * The hierarchies that a sandbox uses on this host.
 *
 * @throws `ERR_VMCG_NO_CONTROLLER` naming what is mounted, where one that is needed is not; `ERR_VMCG_UNSUPPORTED`
 *   where it is on cgroup v2; `EROFS` where it is mounted read-only.
 */
export function sandboxHierarchies(
  host: Host,
  desired: Pick<Desired, 'resources' | 'managed' | 'devices'>,
): readonly Hierarchy[] {
  const hierarchies = neededControllers(desired).flatMap(({ name, isRequired }) => {
    const hierarchy = host.controller(name)
    if (hierarchy === undefined && isRequired) throw missing(host, name)
    if (hierarchy === undefined || (hierarchy.version === 2 && !isRequired)) return []
    return [usable(hierarchy, name)]
  })
  return [...new Set(hierarchies)]
}

/**
 * The hierarchies that a cgroup without a leaf is made in: every v1 hierarchy with a controller, as runc does, so that
 * whatever is asked for later finds the processes there.
 *
 * @param only ids of the hierarchies to keep to; empty: all.
 * @throws as {@link sandboxHierarchies}, for a controller that is asked for.
 */
export function managerHierarchies(
  host: Host,
  desired: Pick<Desired, 'resources' | 'managed' | 'devices'>,
  only: readonly string[] = [],
): readonly Hierarchy[] {
  for (const { name, isAsked } of neededControllers(desired)) {
    const hierarchy = host.controller(name)
    if (hierarchy === undefined && isAsked) throw missing(host, name)
    if (hierarchy !== undefined && isAsked) usable(hierarchy, name)
  }
  const joined = host.hierarchies.filter(
    ({ id, version, controllers, isReadOnly }) =>
      version === 1 && controllers.length > 0 && !isReadOnly && (only.length === 0 || only.includes(id)),
  )
  if (joined.length === 0) throw missing(host, 'cpu')
  const outside = neededControllers(desired).find(
    ({ name, isAsked }) => isAsked && !joined.some(({ controllers }) => controllers.includes(name)),
  )
  if (outside !== undefined) throw notTakenOver(outside.name, only)
  return joined
}

/**
 * The v1 hierarchy of one controller, for what a manager does with that alone.
 *
 * @param only ids of the hierarchies to keep to; empty: all.
 * @throws as {@link managerHierarchies}.
 */
export function controllerHierarchy(host: Host, name: string, only: readonly string[]): Hierarchy {
  const hierarchy = host.controller(name)
  if (hierarchy === undefined) throw missing(host, name)
  if (only.length > 0 && !only.includes(hierarchy.id)) throw notTakenOver(name, only)
  return usable(hierarchy, name)
}

function notTakenOver(name: string, only: readonly string[]): VmcgError {
  return new VmcgError(
    'ERR_VMCG_NO_CONTROLLER',
    `${name} is not one of the cgroups that were taken over: ${only.join(' ')}`,
    { value: name, hint: `name its cgroup in paths, too, or ask for nothing of ${name}` },
  )
}

function missing(host: Host, name: string): VmcgError {
  const mounted = describeHierarchies(host)
  if (host.withheld?.includes(name) === true) {
    return new VmcgError(
      'ERR_VMCG_NO_CONTROLLER',
      `the ${name} controller is mounted, but this user may not make the cgroup there; where it may: ${mounted}`,
      {
        value: name,
        hint: `let root make the cgroup's parent in ${name}, too, and give it away with its cgroup.procs and tasks (chown)`,
      },
    )
  }
  return new VmcgError(
    'ERR_VMCG_NO_CONTROLLER',
    `the ${name} controller is not mounted; this host has: ${mounted}`,
    {
      value: name,
      hint: `mkdir -p /sys/fs/cgroup/${name} && mount -t cgroup -o ${name} cgroup /sys/fs/cgroup/${name}`,
    },
  )
}

function usable(hierarchy: Hierarchy, name: string): Hierarchy {
  const path = hierarchy.mountPoint
  if (hierarchy.version === 2) {
    throw new VmcgError(
      'ERR_VMCG_UNSUPPORTED',
      `the ${name} controller is on cgroup v2 (${path}), which this version of vmcg does not serve yet`,
      { path, hint: 'boot with systemd.unified_cgroup_hierarchy=0 for cgroup v1 (systemd 257 or older)' },
    )
  }
  if (hierarchy.isReadOnly) {
    throw new CgroupError('EROFS', `${path} is mounted read-only`, {
      path,
      syscall: 'mount',
      hint: 'vmcg must run where the cgroup tree is writable: outside the container, or in a privileged one',
    })
  }
  return hierarchy
}
