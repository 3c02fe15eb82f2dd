import { isControllerName } from '../model/kernel-names'
import { controllerNames } from '../model/unified'
import { CONTROLLERS, domainOf, SUBTREE_CONTROL, TYPE } from './after-v2'
import { knobValue, type ObservedHierarchy, parentPath } from './observed'
import { isThreadController } from './own-cgroups'

const ENOENT = 2
const EBUSY = 16
const EINVAL = 22
const EOPNOTSUPP = 95

type Cgroups = ObservedHierarchy['cgroups']

/**
 * What a v2 kernel answers to a write of what a cgroup is, not of what it limits; undefined for other knobs.
 * Source: kernel/cgroup/cgroup.c, cgroup_vet_subtree_control_enable and cgroup_enable_threaded.
 */
export function structureErrno(
  cgroups: Cgroups,
  path: string,
  knob: string,
  value: string,
): number | undefined {
  if (knob === SUBTREE_CONTROL) return subtreeErrno(cgroups, path, value)
  return knob === TYPE ? typeErrno(cgroups, path, value) : undefined
}

function subtreeErrno(cgroups: Cgroups, path: string, value: string): number {
  const cgroup = cgroups[path]
  const available = controllerNames(knobValue(cgroup, CONTROLLERS))
  const names = controllerNames(value)
  if (!names.every((name) => /^[+-]\w+$/.test(name))) return EINVAL
  const added = names.filter((name) => name.startsWith('+')).map((name) => name.slice(1))
  if (!added.every(isControllerName)) return EINVAL
  if (!added.every((name) => available.includes(name))) return ENOENT
  const type = knobValue(cgroup, TYPE)
  if (type === undefined) return 0
  if (type === 'domain invalid') return EOPNOTSUPP
  if (added.every(isThreadController)) return 0
  if (type !== 'domain') return EOPNOTSUPP
  return (cgroup?.pids ?? []).length > 0 ? EBUSY : 0
}

function typeErrno(cgroups: Cgroups, path: string, value: string): number {
  if (value !== 'threaded') return EINVAL
  const type = knobValue(cgroups[path], TYPE)
  if (type === undefined) return ENOENT
  if (type === 'threaded') return 0
  const parent = cgroups[parentPath(path)]
  const handsDown = controllerNames(knobValue(parent, SUBTREE_CONTROL)).some(
    (name) => !isThreadController(name),
  )
  const isPopulated = (cgroups[path]?.tids.length ?? 0) > 0
  const isParentInvalid = knobValue(parent, TYPE) === 'domain invalid'
  return isPopulated || handsDown || isParentInvalid ? EOPNOTSUPP : 0
}

/**
 * What a v2 kernel answers to a process that is to enter a cgroup. Source: as there, cgroup_migrate_vet_dst.
 */
export function processErrno(cgroups: Cgroups, path: string): number {
  const type = knobValue(cgroups[path], TYPE)
  if (type === 'domain invalid') return EOPNOTSUPP
  if (type !== 'domain') return 0
  const isEmpty = controllerNames(knobValue(cgroups[path], SUBTREE_CONTROL)).length === 0
  return isEmpty ? 0 : EBUSY
}

/**
 * What a v2 kernel answers to a thread that is to enter a cgroup: it stays below the cgroup of its process.
 * Source: as there, cgroup_procs_write_permission.
 */
export function threadErrno(cgroups: Cgroups, path: string, tid: number): number {
  const place = Object.entries(cgroups).find(([, { tids }]) => tids.includes(tid))?.[0]
  return place !== undefined && domainOf(cgroups, place) === domainOf(cgroups, path) ? 0 : EOPNOTSUPP
}
