import { formatCpuList, parseCpuList } from '../model/cpu-list'
import type { KnobState, Observed, ObservedCgroup, ObservedHierarchy } from './observed'
import type { Operation } from './operations'

/**
 * What would be observed after an operation that the kernel accepted. Pure: `observed` is not changed.
 *
 * Planning leans on it twice: `plan(desired, after*(observed, plan))` is empty, and what a fresh look differs in from
 * `after*` is what somebody else did, or what the kernel silently kept.
 */
export function after(observed: Observed, operation: Operation): Observed {
  return {
    ...observed,
    hierarchies: observed.hierarchies.map((hierarchy) =>
      hierarchy.id === operation.hierarchy
        ? { ...hierarchy, cgroups: cgroupsAfter(observed, hierarchy, operation) }
        : hierarchy,
    ),
  }
}

type Cgroups = ObservedHierarchy['cgroups']

function cgroupsAfter(observed: Observed, hierarchy: ObservedHierarchy, operation: Operation): Cgroups {
  const { cgroups } = hierarchy
  switch (operation.kind) {
    case 'make-directory':
      return operation.path in cgroups
        ? cgroups
        : { ...cgroups, [operation.path]: newCgroup(hierarchy.controllers) }
    case 'tag':
      return change(cgroups, operation.path, { owner: operation.owner })
    case 'write-knob': {
      const knobs = cgroups[operation.path]?.knobs ?? {}
      const value: KnobState = { kind: 'value', value: echo(operation.knob, operation.value) }
      return change(cgroups, operation.path, { knobs: { ...knobs, [operation.knob]: value } })
    }
    case 'move-process': {
      const process = observed.processes.find(({ pid }) => pid === operation.pid)
      return move(cgroups, operation.path, process?.threads.map(({ tid }) => tid) ?? [])
    }
    case 'move-threads':
      return move(cgroups, operation.path, operation.tids)
    case 'remove-directory': {
      const { [operation.path]: _removed, ...rest } = cgroups
      return rest
    }
  }
}

function change(cgroups: Cgroups, path: string, fields: Partial<ObservedCgroup>): Cgroups {
  const cgroup = cgroups[path]
  return cgroup === undefined ? cgroups : { ...cgroups, [path]: { ...cgroup, ...fields } }
}

function move(cgroups: Cgroups, path: string, tids: readonly number[]): Cgroups {
  const moved = new Set(tids)
  return Object.fromEntries(
    Object.entries(cgroups).map(([where, cgroup]) => {
      const others = cgroup.tids.filter((tid) => !moved.has(tid))
      const now = where === path ? [...others, ...moved].sort((a, b) => a - b) : others
      return [where, { ...cgroup, tids: now }]
    }),
  )
}

/** Knobs as the kernel makes them in a new v1 cgroup; a new cpuset is empty and takes no thread until it is filled. */
const NEW_KNOBS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cpu: { 'cpu.shares': '1024', 'cpu.cfs_quota_us': '-1', 'cpu.cfs_period_us': '100000' },
  cpuset: { 'cpuset.cpus': '', 'cpuset.mems': '' },
}

function newCgroup(controllers: readonly string[]): ObservedCgroup {
  const knobs = controllers.flatMap((controller) => Object.entries(NEW_KNOBS[controller] ?? {}))
  return {
    owner: null,
    knobs: Object.fromEntries(knobs.map(([knob, value]) => [knob, { kind: 'value', value }])),
    tids: [],
  }
}

/** A value as the kernel shows it once it is written: lists in canonical form, everything else unchanged. */
function echo(knob: string, value: string): string {
  return knob === 'cpuset.cpus' || knob === 'cpuset.mems' ? formatCpuList(parseCpuList(value)) : value
}
