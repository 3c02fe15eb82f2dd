import type { Knob } from '../model/resources/knob'
import { knobsOf } from '../model/resources/knobs-of'
import { BFQ_AT_ROOT } from './after'
import { withoutEmptyLists } from './asked'
import type { Desired, ManagedKnob } from './desired'
import { FREEZER_STATE } from './stand-still'
import { CORE, controllerOf, resourcesOn, type Version, type VersionOf } from './versions'

export interface NeededController {
  readonly name: string
  /** False: used where it is mounted, done without where it is not. */
  readonly isRequired: boolean
  /** The resources ask for something that only this controller does. */
  readonly isAsked: boolean
}

/** A host with every controller on v1. */
const ALL_ON_V1: VersionOf = () => 1

/**
 * The controllers that a sandbox needs, each on the version where it lives: `cpu` always; `cpuacct`, where it is
 * mounted, for the usage of each role; the others only when a container asks for what they do, or did so before. Device
 * rules are a controller's on v1 only.
 *
 * @param versionOf Where the host has each controller. @default all on v1
 */
export function neededControllers(
  { resources, managed, devices }: Pick<Desired, 'resources' | 'managed' | 'devices'>,
  versionOf: VersionOf = ALL_ON_V1,
): readonly NeededController[] {
  const hasDevices = devices !== null && versionOf('devices') === 1
  const knobs = askedKnobs(withoutEmptyLists(resources), versionOf)
  const asked = new Set([...knobs.map(({ controller }) => controller), ...(hasDevices ? ['devices'] : [])])
  const before = managed.map(({ knob }) => controllerOf(knob))
  const names = new Set(['cpu', 'cpuacct', ...asked, ...before])
  names.delete(CORE)
  return [...names].map((name) => ({
    name,
    isRequired: name === 'cpu' || asked.has(name),
    isAsked: asked.has(name),
  }))
}

/**
 * Those that the cgroups above must hand down on v2. A cgroup without a leaf needs none but for what is asked of it:
 * a user who was given some controllers only, as systemd gives memory and pids, has that much.
 *
 * @param versionOf As for {@link neededControllers}.
 */
export function handedDownControllers(
  desired: Pick<Desired, 'resources' | 'managed' | 'devices' | 'hasLeaf'>,
  versionOf: VersionOf,
): readonly string[] {
  const before = desired.managed.map(({ knob }) => controllerOf(knob))
  return neededControllers(desired, versionOf)
    .filter(({ name, isAsked }) => desired.hasLeaf || isAsked || before.includes(name))
    .map(({ name }) => name)
}

/** The version of a host whose cpu controller decides: what is mounted nowhere is looked for there. */
function mainVersion(versionOf: VersionOf): Version {
  return versionOf('cpu') ?? 1
}

/**
 * The knobs that resources are for, each on the version where its controller lives; those whose controller lives nowhere
 * on the host's own.
 */
export function askedKnobs(resources: Desired['resources'], versionOf: VersionOf): readonly Knob[] {
  return ([1, 2] as const).flatMap((version) => {
    const part = resourcesOn(version, resources, versionOf, mainVersion(versionOf))
    return Object.keys(part).length === 0 ? [] : knobsOf(part, version)
  })
}

/** What a cpuset of v2 really has, which tells whether one below it can have what is asked for. */
const EFFECTIVE: ReadonlyMap<string, string> = new Map([
  ['cpuset.cpus', 'cpuset.cpus.effective'],
  ['cpuset.mems', 'cpuset.mems.effective'],
])

/** What the rules read of the v1 cgroups above ours, once ours are there: what these may have at most. */
const READ_ABOVE_V1: readonly string[] = [
  'cpu.cfs_quota_us',
  'cpu.cfs_period_us',
  'cpuset.cpus',
  'cpuset.mems',
  'devices.list',
]

/**
 * Whether a knob of a cgroup above ours tells more than what a new cgroup below it will have. On v2 that always counts:
 * a controller that is enabled later brings its knobs to those that are there.
 */
export function isReadAbove(version: Version, knob: string): boolean {
  return version === 2 || READ_ABOVE_V1.includes(knob)
}

/** The weight of the leaf follows the vCPU threads, whatever is asked for. */
const LEAF_WEIGHT: readonly string[] = ['cpu.weight', 'cpu.idle']

/**
 * The knobs that must be read before `resources` can be planned, and those that vmcg has written before.
 *
 * @param versionOf As for {@link neededControllers}.
 */
export function neededKnobs(
  {
    resources,
    managed,
    devices,
  }: {
    resources: Desired['resources']
    managed: readonly ManagedKnob[]
    devices: Desired['devices']
  },
  versionOf: VersionOf = ALL_ON_V1,
): readonly string[] {
  const asked = askedKnobs(resources, versionOf).map(({ file }) => file)
  const lists = versionOf('cpuset') === 2 ? asked : []
  const knobs = [
    ...asked,
    ...(versionOf('cpu') === 2 ? LEAF_WEIGHT : []),
    ...lists.flatMap((file) => EFFECTIVE.get(file) ?? []),
    ...managed.map(({ knob }) => knob),
    ...(asked.some((file) => file.startsWith('blkio.')) ? [BFQ_AT_ROOT] : []),
    ...(devices === null ? [] : ['devices.list', FREEZER_STATE]),
  ]
  return [...new Set(knobs)]
}
