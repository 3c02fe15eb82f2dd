import { CgroupError, VmcgError } from '../errors'
import type { Desired } from '../plan/desired'
import { neededControllers } from '../plan/needed-controllers'
import { versionsIn } from '../plan/versions'
import { describeHierarchies, type Host } from './detect'
import type { Hierarchy } from './hierarchies'

/** What decides which hierarchies are used. */
type Wanted = Pick<Desired, 'resources' | 'managed' | 'devices' | 'program'>

/**
 * The hierarchies that a sandbox uses on this host.
 *
 * @throws `ERR_VMCG_NO_CONTROLLER` naming what is mounted, where one that is needed is not; `EROFS` where it is mounted
 *   read-only.
 */
export function sandboxHierarchies(host: Host, desired: Wanted): readonly Hierarchy[] {
  const versions = versionsIn(host.hierarchies)
  const hierarchies = neededControllers(desired, versions).flatMap(({ name, isRequired }) => {
    const hierarchy = host.controller(name)
    if (hierarchy === undefined && isRequired) throw missing(host, name)
    return hierarchy === undefined ? [] : [writable(hierarchy)]
  })
  return [...new Set([...hierarchies, ...deviceHierarchy(host, desired)])]
}

/**
 * The hierarchies that a cgroup without a leaf is made in: every v1 hierarchy with a controller, as runc does, so that
 * whatever is asked for later finds the processes there; and that of v2, where a host has nothing else, or something of
 * it is needed or taken over.
 *
 * @param only ids of the hierarchies to keep to; empty: all.
 * @throws as {@link sandboxHierarchies}, for a controller that is asked for.
 */
export function managerHierarchies(
  host: Host,
  desired: Wanted,
  only: readonly string[] = [],
): readonly Hierarchy[] {
  const needed = neededControllers(desired, versionsIn(host.hierarchies))
  const asked = needed.flatMap(({ name, isAsked }) => {
    if (!isAsked) return []
    const hierarchy = host.controller(name)
    if (hierarchy === undefined) throw missing(host, name)
    return [writable(hierarchy)]
  })
  const all = host.hierarchies.filter(
    ({ version, controllers, isReadOnly }) => version === 1 && controllers.length > 0 && !isReadOnly,
  )
  const before = needed.flatMap(({ name }) => host.controller(name) ?? [])
  const named = host.hierarchies.filter(({ id }) => only.includes(id))
  const v2 = [...asked, ...before, ...named, ...deviceHierarchy(host, desired)].filter(
    ({ version }) => version === 2,
  )
  const pure = all.length === 0 ? host.hierarchies.filter(({ version }) => version === 2) : []
  const joined = [...new Set([...all, ...v2, ...pure])].filter(
    ({ id, isReadOnly }) => !isReadOnly && (only.length === 0 || only.includes(id)),
  )
  if (joined.length === 0) throw missing(host, 'cpu')
  const outside = needed.find(
    ({ name, isAsked }) => isAsked && !joined.some(({ controllers }) => controllers.includes(name)),
  )
  if (outside !== undefined) throw notTakenOver(outside.name, only)
  return joined
}

/** Device rules without a v1 controller are a program on v2, which has no controller for them. */
function deviceHierarchy(host: Host, { devices, program = null }: Wanted): readonly Hierarchy[] {
  if ((devices === null && program === null) || host.controller('devices') !== undefined) return []
  const v2 = host.hierarchies.find(({ version }) => version === 2)
  if (v2 === undefined) throw missing(host, 'devices')
  return [writable(v2)]
}

/**
 * Where a manager's cgroup is frozen: by the freezer of v1, and where that is not mounted on v2, which needs none.
 *
 * @param only ids of the hierarchies to keep to; empty: all.
 * @throws as {@link managerHierarchies}.
 */
export function freezingHierarchy(host: Host, only: readonly string[]): Hierarchy {
  const hierarchy = freezerOf(host)
  if (hierarchy === undefined) throw missing(host, 'freezer')
  if (only.length > 0 && !only.includes(hierarchy.id)) throw notTakenOver('freezer', only)
  return writable(hierarchy)
}

/** The freezer of v1, and where that is not mounted v2. */
export function freezerOf(host: Host): Hierarchy | undefined {
  return host.controller('freezer') ?? host.hierarchies.find(({ version }) => version === 2)
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
  const isUnified = host.layout === 'v2'
  const v2 = host.hierarchies.find(({ version }) => version === 2)
  const isAllWithheld = isUnified && host.withheld !== undefined && v2 === undefined
  if (isAllWithheld || host.withheld?.includes(name) === true) {
    return new VmcgError(
      'ERR_VMCG_NO_CONTROLLER',
      `${isUnified ? 'cgroup v2' : `the ${name} controller`} is mounted, but this user may not make the cgroup there; where it may: ${mounted}`,
      {
        value: name,
        hint: isUnified
          ? "let root make the cgroup's parent, and give it away with its cgroup.procs, cgroup.threads and cgroup.subtree_control (chown; systemd: Delegate=yes)"
          : `let root make the cgroup's parent in ${name}, too, and give it away with its cgroup.procs and tasks (chown)`,
      },
    )
  }
  return new VmcgError(
    'ERR_VMCG_NO_CONTROLLER',
    `the ${name} controller is not mounted; this host has: ${mounted}`,
    {
      value: name,
      hint:
        v2 !== undefined && isUnified
          ? `cat ${v2.mountPoint}/cgroup.controllers; in a container or a unit it must be handed down from above (systemd: Delegate=yes)`
          : `mkdir -p /sys/fs/cgroup/${name} && mount -t cgroup -o ${name} cgroup /sys/fs/cgroup/${name}`,
    },
  )
}

function writable(hierarchy: Hierarchy): Hierarchy {
  const path = hierarchy.mountPoint
  if (hierarchy.isReadOnly) {
    throw new CgroupError('EROFS', `${path} is mounted read-only`, {
      path,
      syscall: 'mount',
      hint: 'vmcg must run where the cgroup tree is writable: outside the container, or in a privileged one',
    })
  }
  return hierarchy
}
