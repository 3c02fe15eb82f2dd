import { devicesListAfter, kernelEcho, newKnobValue } from '../model/resources/echo'
import { domainOf, enable, makeThreaded, newCgroupV2, SUBTREE_CONTROL, TYPE } from './after-v2'
import { newPrograms, programsAfter } from './device-programs'
import type { Observed, ObservedCgroup, ObservedHierarchy } from './observed'
import { knobValue, parentPath } from './observed'
import type { Operation } from './operations'
import { FREEZER_STATE } from './stand-still'

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
        : { ...cgroups, [operation.path]: newCgroup(hierarchy, operation.path) }
    case 'tag':
      return change(cgroups, operation.path, { owner: operation.owner })
    case 'write-knob':
      if (operation.knob === SUBTREE_CONTROL) return enable(cgroups, operation.path, operation.value)
      if (operation.knob === TYPE) return makeThreaded(cgroups, operation.path)
      return change(cgroups, operation.path, {
        knobs: knobsAfter(cgroups[operation.path], operation.knob, operation.value),
      })
    case 'freeze':
    case 'thaw': {
      const value = operation.kind === 'freeze' ? 'FROZEN' : 'THAWED'
      return change(cgroups, operation.path, {
        knobs: { ...cgroups[operation.path]?.knobs, [FREEZER_STATE]: { kind: 'value', value } },
      })
    }
    case 'device-program': {
      const devicePrograms = programsAfter(cgroups[operation.path]?.devicePrograms, operation)
      return change(cgroups, operation.path, { devicePrograms })
    }
    case 'move-process': {
      const process = observed.processes.find(({ pid }) => pid === operation.pid)
      const moved = move(cgroups, operation.path, process?.threads.map(({ tid }) => tid) ?? [])
      return hierarchy.version === 2
        ? movePid(moved, domainOf(cgroups, operation.path), operation.pid)
        : moved
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
      if (where !== path && others.length === cgroup.tids.length) return [where, cgroup]
      const now = where === path ? [...others, ...moved].sort((a, b) => a - b) : others
      return [where, { ...cgroup, tids: now }]
    }),
  )
}

function movePid(cgroups: Cgroups, path: string, pid: number): Cgroups {
  return Object.fromEntries(
    Object.entries(cgroups).map(([where, cgroup]) => {
      const others = cgroup.pids?.filter((other) => other !== pid)
      return [
        where,
        { ...cgroup, pids: where === path ? [...(others ?? []), pid].sort((a, b) => a - b) : others },
      ]
    }),
  )
}

function knobsAfter(
  cgroup: ObservedCgroup | undefined,
  knob: string,
  value: string,
): ObservedCgroup['knobs'] {
  const knobs = cgroup?.knobs ?? {}
  if (knob === 'devices.allow' || knob === 'devices.deny') {
    const list = devicesListAfter(knobValue(cgroup, 'devices.list') ?? '', { file: knob, value })
    return { ...knobs, 'devices.list': { kind: 'value', value: list } }
  }
  const text = kernelEcho(knob, value, knobValue(cgroup, knob) ?? '')
  return { ...knobs, [knob]: { kind: 'value', value: text } }
}

/**
 * Knobs that every v1 kernel makes where their controller is; rules read these without being asked. A new cpuset is
 * empty and takes no thread until it is filled.
 */
export const USUAL_KNOBS_V1: Readonly<Record<string, readonly string[]>> = {
  cpu: ['cpu.shares', 'cpu.cfs_quota_us', 'cpu.cfs_period_us'],
  cpuset: ['cpuset.cpus', 'cpuset.mems'],
}

/** Those, and what other controllers have. */
const NEW_KNOBS: Readonly<Record<string, readonly string[]>> = {
  ...USUAL_KNOBS_V1,
  freezer: [FREEZER_STATE],
  pids: ['pids.max'],
}

/** Those of BFQ are not at the root, which has this one where they are below it. Source: block/bfq-cgroup.c. */
export const BFQ_AT_ROOT = 'blkio.bfq.io_service_bytes'
const BFQ: readonly string[] = ['blkio.bfq.weight', 'blkio.bfq.weight_device']

/** On v1 a new cgroup has the knobs that always come, and those that its parent was seen to have. */
function newCgroup({ version, controllers, cgroups }: ObservedHierarchy, path: string): ObservedCgroup {
  if (version === 2) return newCgroupV2(cgroups, path)
  const parent = cgroups[parentPath(path)]
  const usual = controllers.flatMap((controller) => NEW_KNOBS[controller] ?? [])
  const ofBfq = knobValue(parent, BFQ_AT_ROOT) === undefined ? [] : BFQ
  const inParent = Object.keys(parent?.knobs ?? {}).filter((knob) => knobValue(parent, knob) !== undefined)
  const knobs = [...new Set([...usual, ...ofBfq, ...inParent])].map((knob) => {
    const value = newKnobValue(knob, knobValue(parent, knob) ?? '')
    return [knob, { kind: 'value', value }] as const
  })
  const devicePrograms = newPrograms(parent?.devicePrograms)
  return {
    owner: null,
    knobs: Object.fromEntries(knobs),
    tids: [],
    ...(devicePrograms && { devicePrograms }),
  }
}
