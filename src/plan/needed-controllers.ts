import type { LinuxResources } from '../model/generated/oci'
import type { Knob } from '../model/resources/knob'
import { knobsOf } from '../model/resources/knobs-of'
import { splitByVersion, type Versions } from '../model/resources/split-by-version'
import type { Desired } from './desired'

export interface NeededController {
  readonly name: string
  /** False: used where it is mounted, done without where it is not. */
  readonly isRequired: boolean
  /** The resources ask for something that only this controller does. */
  readonly isAsked: boolean
}

/**
 * The controllers that a sandbox needs: `cpu` always; `cpuacct`, where it is mounted, for the usage of each role; the
 * others only when a container asks for what they do, or did so before.
 */
export function neededControllers(
  desired: Pick<Desired, 'resources' | 'managed' | 'devices'>,
  versions: Versions,
): readonly NeededController[] {
  const { resources, managed, devices } = desired
  const asked = new Set([
    ...askedKnobs(withoutEmptyLists(resources), versions)
      .map(({ controller }) => controller)
      .filter((name) => name !== CORE),
    ...(devices === null || versions.of('devices') === undefined ? [] : ['devices']),
  ])
  const before = managed.map(({ knob }) => knob.slice(0, knob.indexOf('.'))).filter((name) => name !== CORE)
  const names = [...new Set(['cpu', 'cpuacct', ...asked, ...before])]
  return names.map((name) => ({
    name,
    isRequired: name === 'cpu' || asked.has(name),
    isAsked: asked.has(name),
  }))
}

/** What the files `cgroup.*` belong to: no controller, and always there. */
const CORE = 'cgroup'

function askedKnobs(resources: LinuxResources, versions: Versions): readonly Knob[] {
  const parts = splitByVersion(resources, versions)
  return versions.mounted.flatMap((version) => knobsOf(parts[version], version))
}

/** An empty list of CPUs asks for nothing. */
function withoutEmptyLists(resources: LinuxResources): LinuxResources {
  const { cpus, mems, ...cpu } = resources.cpu ?? {}
  return { ...resources, cpu: { ...cpu, ...(cpus && { cpus }), ...(mems && { mems }) } }
}

/** The knobs that must be read before `resources` can be planned, and those that vmcg has written before. */
export function neededKnobs(
  { resources, managed, devices }: Pick<Desired, 'resources' | 'managed' | 'devices'>,
  versions: Versions,
): readonly string[] {
  const knobs = [
    ...askedKnobs(resources, versions).map(({ file }) => file),
    ...managed.map(({ knob }) => knob),
    ...(devices === null ? [] : ['devices.list']),
  ]
  return [...new Set(knobs)]
}
