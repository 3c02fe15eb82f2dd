import { isDeepStrictEqual } from 'node:util'
import { controllerNames } from '../model/unified'
import { CONTROLLERS, SUBTREE_CONTROL, TYPE } from './after-v2'
import { type Desired, sandboxPaths } from './desired'
import {
  type KnobState,
  knobValue,
  type Observed,
  type ObservedCgroup,
  type ObservedHierarchy,
  type ObservedProcess,
} from './observed'

/** What is wanted, and what a look finds. */
export interface Seen {
  readonly desired: Desired
  readonly observed: Observed
}

/**
 * Whether a look finds just what was expected of it, and the same is wanted as before: then there is nothing to plan,
 * since `plan(desired, after*(observed, plan))` is empty. That takes far less than planning does. False says nothing:
 * planning tells.
 *
 * A look may know less of the cgroups than what was expected of them. What is remembered of written knobs grows as
 * they are written, and counts as the same.
 */
export function isForeseen(expected: Seen, seen: Seen): boolean {
  const { sandbox, vcpu } = sandboxPaths(seen.desired)
  return (
    wantsTheSame(expected.desired, seen.desired) &&
    isSameState(expected.observed, seen.observed, [sandbox, vcpu])
  )
}

function wantsTheSame(before: Desired, now: Desired): boolean {
  return (
    before.vmm === now.vmm &&
    isSameList(before.vcpus, now.vcpus) &&
    isSameList(before.helpers, now.helpers) &&
    isSameList(before.threads, now.threads) &&
    OTHERS.every((field) => isDeepStrictEqual(before[field], now[field]))
  )
}

const OTHERS = [
  'id',
  'parent',
  'scope',
  'owner',
  'hasLeaf',
  'takenOver',
  'resources',
  'leftOut',
  'devices',
  'program',
  'unsupported',
] as const satisfies readonly (keyof Desired)[]

function isSameState(expected: Observed, seen: Observed, own: readonly string[]): boolean {
  return (
    expected.hierarchies.length === seen.hierarchies.length &&
    expected.hierarchies.every((one, index) => isSameHierarchy(one, seen.hierarchies[index], own)) &&
    expected.processes.length === seen.processes.length &&
    expected.processes.every((one, index) => isSameProcess(one, seen.processes[index])) &&
    isDeepStrictEqual(expected.lackedForPrograms, seen.lackedForPrograms)
  )
}

function isSameHierarchy(
  expected: ObservedHierarchy,
  seen: ObservedHierarchy | undefined,
  own: readonly string[],
): boolean {
  if (seen === undefined || expected.id !== seen.id) return false
  const paths = Object.keys(seen.cgroups)
  return (
    paths.length === Object.keys(expected.cgroups).length &&
    paths.every((path) => isSameCgroup(expected.cgroups[path], seen.cgroups[path], own.includes(path)))
  )
}

function isSameCgroup(
  expected: ObservedCgroup | undefined,
  seen: ObservedCgroup | undefined,
  isOwn: boolean,
): boolean {
  if (expected === undefined || seen === undefined) return false
  // Whoever comes to the root of all, or leaves it, is nobody's business.
  const isRoot = knobValue(seen, TYPE) === undefined
  return (
    expected.owner === seen.owner &&
    isSameList(expected.tids, seen.tids) &&
    (isRoot || isDeepStrictEqual(expected.pids, seen.pids)) &&
    isDeepStrictEqual(expected.devicePrograms, seen.devicePrograms) &&
    Object.entries(seen.knobs).every(
      ([knob, state]) => (isOwn && isResult(knob)) || isSameKnob(knob, expected.knobs[knob], state),
    )
  )
}

/** What comes of others, such as `cpuset.cpus.effective`: rules read that of the cgroups above ours only. */
function isResult(knob: string): boolean {
  return knob.endsWith('.effective')
}

/** The kernel has an order of its own for the names of controllers. */
const NAMES: readonly string[] = [CONTROLLERS, SUBTREE_CONTROL]

function isSameKnob(knob: string, expected: KnobState | undefined, seen: KnobState): boolean {
  if (expected === undefined) return seen.kind === 'absent'
  if (expected.kind !== 'value' || seen.kind !== 'value') return expected.kind === seen.kind
  if (expected.value === seen.value) return true
  return NAMES.includes(knob) && isDeepStrictEqual(names(expected.value), names(seen.value))
}

function names(text: string): ReadonlySet<string> {
  return new Set(controllerNames(text))
}

function isSameProcess(expected: ObservedProcess, seen: ObservedProcess | undefined): boolean {
  return (
    seen !== undefined &&
    expected.pid === seen.pid &&
    expected.startTime === seen.startTime &&
    expected.threads.length === seen.threads.length &&
    expected.threads.every(({ tid, startTime }, index) => {
      const thread = seen.threads[index]
      return thread?.tid === tid && (thread.startTime === null || thread.startTime === startTime)
    })
  )
}

function isSameList(expected: readonly number[], seen: readonly number[]): boolean {
  return expected.length === seen.length && expected.every((number, index) => number === seen[index])
}
