import { isExpected, newKnobValue } from '../model/resources/echo'
import { controllerNames } from '../model/unified'
import { newPrograms } from './device-programs'
import type { KnobState, ObservedCgroup, ObservedHierarchy } from './observed'
import { childrenOf, knobValue, parentPath } from './observed'

type Cgroups = ObservedHierarchy['cgroups']

export const TYPE = 'cgroup.type'
export const SUBTREE_CONTROL = 'cgroup.subtree_control'
export const CONTROLLERS = 'cgroup.controllers'

/** Knobs that every v2 kernel makes where their controller is enabled; rules read these without being asked. */
export const USUAL_KNOBS_V2: Readonly<Record<string, readonly string[]>> = {
  cpu: ['cpu.weight', 'cpu.max'],
  cpuset: ['cpuset.cpus', 'cpuset.mems', 'cpuset.cpus.effective', 'cpuset.mems.effective'],
}

/**
 * A cgroup that was just made on v2. It has the knobs of those controllers that its parent enables for its children,
 * and its type tells whether it can hold anybody. Source: kernel, Documentation/admin-guide/cgroup-v2.rst, Threads.
 */
export function newCgroupV2(cgroups: Cgroups, path: string): ObservedCgroup {
  const parent = cgroups[parentPath(path)]
  const enabled = controllerNames(knobValue(parent, SUBTREE_CONTROL))
  const type = knobValue(parent, TYPE)
  const isInThreads = type === 'threaded' || type === 'domain threaded'
  const programs = newPrograms(parent?.devicePrograms)
  const own = {
    [TYPE]: isInThreads ? 'domain invalid' : 'domain',
    [SUBTREE_CONTROL]: '',
    [CONTROLLERS]: enabled.join(' '),
  }
  return {
    owner: null,
    tids: [],
    pids: [],
    ...(programs && { devicePrograms: programs }),
    knobs: {
      ...Object.fromEntries(knobNames(parent).map((knob) => [knob, ABSENT])),
      ...knobsOf(parent, enabled),
      ...Object.fromEntries(Object.entries(own).map(([knob, value]) => [knob, { kind: 'value', value }])),
    },
  }
}

const ABSENT: KnobState = { kind: 'absent' }

/** What a cgroup was asked about, its children were asked about as well: whether it has it or not. */
function knobNames(cgroup: ObservedCgroup | undefined): readonly string[] {
  return Object.keys(cgroup?.knobs ?? {})
}

/** The knobs that come with these controllers. */
function knobsOf(
  parent: ObservedCgroup | undefined,
  controllers: readonly string[],
): ObservedCgroup['knobs'] {
  const usual = controllers.flatMap((controller) => USUAL_KNOBS_V2[controller] ?? [])
  const asked = knobNames(parent)
    .filter((knob) => controllers.some((name) => knob.startsWith(`${name}.`)))
    .filter((knob) => isExpected(knob, knobValue(parent, knob)))
  return Object.fromEntries(
    [...new Set([...usual, ...asked])].map((knob) => {
      const above = knobValue(parent, knob) ?? ''
      return [knob, { kind: 'value', value: knob.endsWith('.effective') ? above : newKnobValue(knob, above) }]
    }),
  )
}

/** @param value as it is written: `'+cpu +cpuset'`. What is already enabled stays as it is. */
export function enable(cgroups: Cgroups, path: string, value: string): Cgroups {
  const cgroup = cgroups[path]
  if (cgroup === undefined) return cgroups
  const before = controllerNames(knobValue(cgroup, SUBTREE_CONTROL))
  const added = controllerNames(value)
    .map((word) => word.slice(1))
    .filter((name) => !before.includes(name))
  const enabled = [...before, ...added].join(' ')
  const children = childrenOf(cgroups, path).flatMap((child) => {
    const now = cgroups[child]
    return now === undefined
      ? []
      : [[child, withKnobs(now, { ...knobsOf(cgroup, added), ...text(CONTROLLERS, enabled) })]]
  })
  return {
    ...cgroups,
    ...Object.fromEntries(children),
    [path]: withKnobs(cgroup, text(SUBTREE_CONTROL, enabled)),
  }
}

/** Writes `threaded` to the type of a cgroup: the one above it becomes a thread root, and its other children invalid. */
export function makeThreaded(cgroups: Cgroups, path: string): Cgroups {
  const above = parentPath(path)
  const changed = Object.entries(cgroups).flatMap(([where, cgroup]): [string, ObservedCgroup][] => {
    const type = knobValue(cgroup, TYPE)
    const now =
      where === path
        ? 'threaded'
        : where === above && type === 'domain'
          ? 'domain threaded'
          : parentPath(where) === above && type === 'domain'
            ? 'domain invalid'
            : type
    if (now === undefined || now === type) return []
    const { pids: _pids, ...others } = cgroup
    // The kernel lists no processes for a threaded cgroup.
    return [[where, withKnobs(where === path ? others : cgroup, text(TYPE, now))]]
  })
  return { ...cgroups, ...Object.fromEntries(changed) }
}

function text(knob: string, value: string): ObservedCgroup['knobs'] {
  return { [knob]: { kind: 'value', value } }
}

function withKnobs(cgroup: ObservedCgroup, knobs: ObservedCgroup['knobs']): ObservedCgroup {
  return { ...cgroup, knobs: { ...cgroup.knobs, ...knobs } }
}

/** The cgroup that lists the processes of one: of a threaded one, the nearest above it that is not. */
export function domainOf(cgroups: Cgroups, path: string): string {
  return knobValue(cgroups[path], TYPE) === 'threaded' ? domainOf(cgroups, parentPath(path)) : path
}
