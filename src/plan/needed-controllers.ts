import type { LinuxResources } from '../model/generated/oci'
import { knobsOf } from '../model/resources/knobs-of'
import type { Desired, ManagedKnob } from './desired'
import { FREEZER_STATE } from './stand-still'

export interface NeededController {
  readonly name: string
  /** False: used where it is mounted, done without where it is not. */
  readonly isRequired: boolean
  /** The resources ask for something that only this controller does. */
  readonly isAsked: boolean
}

/**
 * The v1 controllers whose hierarchies a sandbox needs: `cpu` always; `cpuacct`, where it is mounted, for the usage of
 * each role; the others only when a container asks for what they do, or did so before.
 */
export function neededControllers(
  desired: Pick<Desired, 'resources' | 'managed' | 'devices'>,
): readonly NeededController[] {
  const { resources, managed, devices } = desired
  const asked = new Set([
    ...knobsOf(withoutEmptyLists(resources), 1).map(({ controller }) => controller),
    ...(devices === null ? [] : ['devices']),
  ])
  const before = managed.map(({ knob }) => knob.slice(0, knob.indexOf('.')))
  const names = [...new Set(['cpu', 'cpuacct', ...asked, ...before])]
  return names.map((name) => ({
    name,
    isRequired: name === 'cpu' || asked.has(name),
    isAsked: asked.has(name),
  }))
}

/** An empty list of CPUs asks for nothing. */
function withoutEmptyLists(resources: LinuxResources): LinuxResources {
  const { cpus, mems, ...cpu } = resources.cpu ?? {}
  return { ...resources, cpu: { ...cpu, ...(cpus && { cpus }), ...(mems && { mems }) } }
}

/** The knobs that must be read before `resources` can be planned, and those that vmcg has written before. */
export function neededKnobs({
  resources,
  managed,
  devices,
}: {
  resources: LinuxResources
  managed: readonly ManagedKnob[]
  devices: Desired['devices']
}): readonly string[] {
  const knobs = [
    ...knobsOf(resources, 1).map(({ file }) => file),
    ...managed.map(({ knob }) => knob),
    ...(devices === null ? [] : ['devices.list', FREEZER_STATE]),
  ]
  return [...new Set(knobs)]
}
