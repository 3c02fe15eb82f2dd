import type { Freeze, WriteKnob } from './operations'
import type { PlanBuilder } from './plan-builder'

/** Reads `THAWED`, `FREEZING` or `FROZEN`; the root has none. Kernel: cgroup-v1/freezer-subsystem.rst. */
export const FREEZER_STATE = 'freezer.state'

/** What a process that takes a cgroup up has to end, where another ended in the middle of it. Plain data. */
export interface Standstill {
  /** The hierarchy that it is frozen in. */
  readonly freezer: string
  /** The hierarchy that is written to. */
  readonly hierarchy: string
  readonly path: string
  /** Device rules that it is to have before its processes go on; to allow one again does no harm. */
  readonly allow: readonly string[]
}

/** What a freeze for these writes must leave behind. */
export function standstillFor(
  { hierarchy: freezer, path }: Freeze,
  writes: readonly WriteKnob[],
): Standstill {
  const allows = writes.filter(({ knob }) => knob === 'devices.allow')
  return {
    freezer,
    hierarchy: writes[0]?.hierarchy ?? freezer,
    path,
    allow: allows.map(({ value }) => value),
  }
}

/** A cgroup whose processes must not notice what is written to it. */
export interface Unnoticed {
  readonly hierarchy: string
  readonly path: string
  /** As `Desired` has it. */
  readonly ownPid: number
}

/**
 * Has the processes of a cgroup stand still while `write` adds its operations: the v1 freezer holds them, in its cgroup
 * of the same path. Nothing is frozen where nobody is inside, or where somebody has frozen the cgroup already: it stays
 * so.
 *
 * Where they cannot be held the writes are planned all the same, with a warning: no v1 freezer is used (that of cgroup
 * v2 holds a process by its v2 cgroup, which is not ours); somebody has taken processes out of the freezer's cgroup; or
 * this very process is inside, which could not thaw itself.
 */
export function whileStandingStill(builder: PlanBuilder, cgroup: Unnoticed, write: () => void): void {
  const { hierarchy, path } = cgroup
  const inside = builder.cgroup(hierarchy, path)?.tids ?? []
  if (inside.length === 0) {
    write()
    return
  }
  const { freezer, whyNot } = hold(builder, cgroup, inside)
  if (whyNot !== undefined) {
    builder.warn(
      `${hierarchy}:${path}: its first device rules begin by denying everything, and its threads (${inside.length}) ` +
        `cannot all be frozen meanwhile: ${whyNot}. What they open in that moment can fail with EPERM`,
    )
  }
  if (freezer !== undefined) builder.add({ kind: 'freeze', hierarchy: freezer, path })
  write()
  if (freezer !== undefined) builder.add({ kind: 'thaw', hierarchy: freezer, path })
}

interface Hold {
  /** The hierarchy by which to freeze. */
  readonly freezer?: string | undefined
  /** Why somebody is not held. */
  readonly whyNot?: string | undefined
}

function hold(builder: PlanBuilder, { path, ownPid }: Unnoticed, inside: readonly number[]): Hold {
  const freezer = builder.hierarchyOf('freezer')
  if (freezer === undefined) return { whyNot: 'no freezer of cgroup v1 is used here' }
  const held = builder.cgroup(freezer, path)?.tids ?? []
  if (held.includes(ownPid)) return { whyNot: 'this very process is inside, and could not thaw itself' }
  // Whole processes: hierarchies are read one after the other, and threads are born and end meanwhile.
  const loose = builder.state.processes
    .map(({ pid }) => pid)
    .filter((pid) => inside.includes(pid) && !held.includes(pid))
  const whyNot = loose.length === 0 ? undefined : `not in ${freezer}:${path} is ${loose.join(' ')}`
  const state = builder.knob(freezer, path, FREEZER_STATE)
  if (state === 'FROZEN') return { whyNot }
  if (!inside.some((tid) => held.includes(tid))) return { whyNot: `${freezer}:${path} holds none of them` }
  return state === 'THAWED'
    ? { freezer, whyNot }
    : { whyNot: `somebody else is freezing ${freezer}:${path} now` }
}
