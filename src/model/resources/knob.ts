import type { OnUnsupported } from './unsupported'

/** One file of one controller, such as `cpu.shares` of `cpu`. */
export interface Knob {
  /** As the kernel names it in `/proc/cgroups` or `cgroup.controllers`, such as `'net_cls'` or `'io'`. */
  readonly controller: string
  readonly file: string
}

/** One `write()` to one knob. */
export interface KnobWrite extends Knob {
  /** Without a newline at the end, but for the list of a v2 cpuset that is emptied: `'\n'`. */
  readonly value: string
}

/**
 * What knobs say now: file name → its whole text without the newline at the end; undefined or missing: no such file.
 */
export type ObservedKnobs = Readonly<Record<string, string | undefined>>

/** A write that may turn out to be needless, since the kernel says so already. */
export interface Demand extends KnobWrite {
  /** Who asks, such as `'memory.limit'`; undefined when nobody does any more and the knob goes back to "no limit". */
  readonly field: string | undefined
  /** An earlier write of the same sequence resets this knob, so that what it says now counts for nothing. */
  readonly isReset?: boolean
}

/**
 * The knobs of one cgroup as far as the caller has read them. When nothing was read the cgroup counts as a new one, on
 * a kernel that has whatever is asked of it.
 */
export class KnobTexts {
  readonly #observed: ObservedKnobs | undefined

  constructor(observed: ObservedKnobs | undefined) {
    this.#observed = observed
  }

  get areKnown(): boolean {
    return this.#observed !== undefined
  }

  /** False only for a knob that was looked for and is not there. */
  has(file: string): boolean {
    return this.#observed === undefined || this.#observed[file] !== undefined
  }

  text(file: string): string | undefined {
    return this.#observed?.[file]
  }

  /** The number that a knob of one number says; `otherwise` where it was not read. */
  number(file: string, otherwise: number): number {
    const text = this.text(file)
    return text === undefined ? otherwise : Number(text)
  }
}

/** What is known where demands are made and put in order. */
export interface DemandContext {
  readonly now: KnobTexts
  /** What was written before, the latest last, one limit each. */
  readonly previous: readonly KnobWrite[]
  readonly pageSize: number
  readonly onUnsupported: OnUnsupported
}

/** The demands by file, for controllers with knobs of one value only. */
export function byFile(demands: readonly Demand[]): ReadonlyMap<string, Demand> {
  return new Map(demands.map((demand) => [demand.file, demand]))
}

/** Those that are there, in this order. */
export function present(...demands: readonly (Demand | undefined)[]): Demand[] {
  return demands.filter((demand) => demand !== undefined)
}
