import { CgroupError } from '../errors'
import { controllerNames } from '../model/unified'
import { CONTROLLERS, SUBTREE_CONTROL, TYPE } from './after-v2'
import type { Desired } from './desired'
import { isInScope, preparedPaths, sandboxPaths } from './desired'
import { knobValue, type ObservedHierarchy } from './observed'
import { isThreadController, ownPaths } from './own-cgroups'
import type { PlanBuilder } from './plan-builder'

/**
 * Plans the controllers of v2: enabled from the root (with systemd, in the unit) down to the cgroup above ours, those that
 * are needed and no others. None is ever taken away, since somebody else may need it.
 *
 * @param needed the controllers that the sandbox needs, such as `'cpu'`; those of other hierarchies do not matter.
 *
 * Source: kernel, Documentation/admin-guide/cgroup-v2.rst, "Controlling Controllers".
 */
export function planControllers(builder: PlanBuilder, desired: Desired, needed: readonly string[]): void {
  for (const { id, controllers } of v2Hierarchies(builder)) {
    const wanted = controllers.filter((controller) => needed.includes(controller))
    for (const path of preparedPaths(desired, id)) enable(builder, id, path, wanted)
  }
}

/**
 * Plans the leaf of v2. It becomes threaded, which makes the sandbox's cgroup the root of its threads, and the sandbox
 * enables the controllers that can tell threads apart. Nothing above the sandbox is touched.
 *
 * Source: as there, "Threads".
 */
export function planThreadRoot(builder: PlanBuilder, desired: Desired, needed: readonly string[]): void {
  const { sandbox, vcpu } = sandboxPaths(desired)
  for (const { id: hierarchy, controllers } of v2Hierarchies(builder)) {
    if (!ownPaths(desired, { id: hierarchy, controllers }).includes(vcpu)) continue
    builder.write(hierarchy, vcpu, TYPE, 'threaded')
    const wanted = controllers.filter((controller) => needed.includes(controller))
    enable(builder, hierarchy, sandbox, wanted.filter(isThreadController))
  }
}

function v2Hierarchies({ hierarchies }: PlanBuilder): readonly ObservedHierarchy[] {
  return hierarchies.filter(({ version }) => version === 2)
}

/** One write for all that are missing: the kernel takes the whole line or none of it. */
function enable(builder: PlanBuilder, hierarchy: string, path: string, wanted: readonly string[]): void {
  const enabled = controllerNames(builder.knob(hierarchy, path, SUBTREE_CONTROL))
  const missing = wanted.filter((controller) => !enabled.includes(controller))
  if (missing.length === 0) return
  const value = missing.map((controller) => `+${controller}`).join(' ')
  const previous = enabled.join(' ')
  builder.add({ kind: 'write-knob', hierarchy, path, knob: SUBTREE_CONTROL, value, previous })
}

/**
 * Throws where a hierarchy cannot hold the sandbox, before anything is written. One of v1 can.
 *
 * @throws `ERR_VMCG_NO_CONTROLLER` for what systemd keeps from its unit; `ERR_VMCG_CGROUP_TYPE` where a cgroup on the
 *   way, or one that stands in our place, is of a type that can hold no sandbox; `ERR_VMCG_INTERNAL_PROCESSES` where
 *   one on the way would have to hand controllers down and holds processes itself.
 */
export function refuseUnfit(hierarchy: ObservedHierarchy, desired: Desired, needed: readonly string[]): void {
  if (hierarchy.version === 1) return
  const wanted = hierarchy.controllers.filter((controller) => needed.includes(controller))
  for (const path of preparedPaths(desired, hierarchy.id)) {
    refuseType(hierarchy, desired.id, path, ['domain'])
    refuseProcesses(hierarchy, desired.id, path, wanted)
  }
  refuseWithheld(hierarchy, desired, wanted)
  refuseType(hierarchy, desired.id, sandboxPaths(desired).sandbox, ['domain', 'domain threaded'])
  refuseDomainLeaf(hierarchy, desired)
}

function directoryOf({ mountPoint }: ObservedHierarchy, path: string): string {
  return path === '/' ? mountPoint : `${mountPoint}${path}`
}

/** The root has no type, and takes everybody. */
function refuseType(hierarchy: ObservedHierarchy, id: string, path: string, fit: readonly string[]): void {
  const type = knobValue(hierarchy.cgroups[path], TYPE)
  if (type === undefined || fit.includes(type)) return
  const directory = directoryOf(hierarchy, path)
  throw new CgroupError(
    'ERR_VMCG_CGROUP_TYPE',
    `${id}: ${directory} is "${type}": it is part of somebody's threaded cgroups, where no process can be limited as a whole`,
    {
      path: `${directory}/${TYPE}`,
      value: type,
      hint: 'choose a parent whose cgroup.type is "domain"; the kernel has no way back but to remove the threaded cgroup',
    },
  )
}

/** What systemd has not handed down to its unit, nobody can hand on: a user's systemd has no cpuset and no io, say. */
function refuseWithheld(hierarchy: ObservedHierarchy, desired: Desired, wanted: readonly string[]): void {
  const { parent } = sandboxPaths(desired)
  const available = knobValue(hierarchy.cgroups[parent], CONTROLLERS)
  if (!isInScope(desired, hierarchy.id) || available === undefined) return
  const withheld = wanted.filter((controller) => !controllerNames(available).includes(controller))
  if (withheld.length === 0) return
  throw new CgroupError(
    'ERR_VMCG_NO_CONTROLLER',
    `${desired.id}: systemd has not handed ${withheld.join(' ')} down to ${parent}, only ${available}`,
    {
      path: `${directoryOf(hierarchy, parent)}/${CONTROLLERS}`,
      value: withheld.join(' '),
      hint: 'for the units of a user, root can have it handed down: systemctl edit user@.service, [Service] Delegate=cpu cpuset io memory pids',
    },
  )
}

/** Kernel: no processes in a cgroup that hands controllers down, but for the root. */
function refuseProcesses(
  hierarchy: ObservedHierarchy,
  id: string,
  path: string,
  wanted: readonly string[],
): void {
  const cgroup = hierarchy.cgroups[path]
  const isRoot = knobValue(cgroup, TYPE) === undefined
  const processes = cgroup?.pids?.length ?? 0
  const enabled = controllerNames(knobValue(cgroup, SUBTREE_CONTROL))
  const missing = wanted.filter((controller) => !enabled.includes(controller))
  if (isRoot || processes === 0 || missing.length === 0) return
  const directory = directoryOf(hierarchy, path)
  throw new CgroupError(
    'ERR_VMCG_INTERNAL_PROCESSES',
    `${id}: ${directory} holds processes of its own (${processes}), and the kernel hands no controllers (${missing.join(' ')}) down from such a cgroup`,
    {
      path: `${directory}/${SUBTREE_CONTROL}`,
      value: missing.map((controller) => `+${controller}`).join(' '),
      hint: `choose an empty parent, or move them into a cgroup below it first: cat ${directory}/cgroup.procs`,
    },
  )
}

/** A leaf that was made and not finished is empty; one that holds threads as a domain of its own is nobody's of ours. */
function refuseDomainLeaf(hierarchy: ObservedHierarchy, desired: Desired): void {
  const { vcpu } = sandboxPaths(desired)
  const leaf = ownPaths(desired, hierarchy).includes(vcpu) ? hierarchy.cgroups[vcpu] : undefined
  const type = knobValue(leaf, TYPE)
  if (leaf === undefined || type === 'threaded' || leaf.tids.length === 0) return
  const directory = directoryOf(hierarchy, vcpu)
  throw new CgroupError(
    'ERR_VMCG_CGROUP_TYPE',
    `${desired.id}: ${directory} is "${type}" and holds ${leaf.tids.length} threads: it cannot be made threaded any more`,
    {
      path: `${directory}/${TYPE}`,
      value: 'threaded',
      hint: `move them out of it first: cat ${directory}/cgroup.procs`,
    },
  )
}
