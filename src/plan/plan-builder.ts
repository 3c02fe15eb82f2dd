import { deepFreeze } from '../model/freeze'
import { undoValue } from '../model/resources/echo'
import { after } from './after'
import type { Observed, ObservedCgroup, ObservedHierarchy } from './observed'
import { knobValue } from './observed'
import type { Operation, Plan, Stage } from './operations'

/**
 * Collects operations and carries the observed state along with them, so that each rule sees what the operations
 * before it will have done. Lives for one planning; the result is frozen.
 */
export class PlanBuilder {
  #state: Observed
  readonly #stages: { name: Stage['name']; operations: Operation[] }[] = []
  readonly #warnings: string[] = []

  constructor(observed: Observed) {
    this.#state = observed
  }

  get hierarchies(): readonly ObservedHierarchy[] {
    return this.#state.hierarchies
  }

  get state(): Observed {
    return this.#state
  }

  /** Operations added from now on belong to this stage. */
  stage(name: Stage['name']): void {
    this.#stages.push({ name, operations: [] })
  }

  add(operation: Operation): void {
    this.#stages.at(-1)?.operations.push(operation)
    this.#state = after(this.#state, operation)
  }

  warn(text: string): void {
    this.#warnings.push(text)
  }

  cgroup(hierarchy: string, path: string): ObservedCgroup | undefined {
    return this.#state.hierarchies.find(({ id }) => id === hierarchy)?.cgroups[path]
  }

  /** The hierarchy that a controller lives in, where the sandbox uses it. */
  hierarchyOf(controller: string): string | undefined {
    return this.#state.hierarchies.find(({ controllers }) => controllers.includes(controller))?.id
  }

  knob(hierarchy: string, path: string, knob: string): string | undefined {
    return knobValue(this.cgroup(hierarchy, path), knob)
  }

  /** Adds a write unless the knob already reads so. A knob that cannot be read is written. */
  write(hierarchy: string, path: string, knob: string, value: string): void {
    const previous = this.knob(hierarchy, path, knob) ?? null
    if (previous !== value) this.add({ kind: 'write-knob', hierarchy, path, knob, value, previous })
  }

  /** Every knob of a cgroup that was read, over all hierarchies. undefined: it is not there, or cannot be read. */
  knobTexts(path: string): Readonly<Record<string, string | undefined>> {
    return Object.fromEntries(
      this.#state.hierarchies.flatMap(({ cgroups }) =>
        Object.keys(cgroups[path]?.knobs ?? {}).map((knob) => [knob, knobValue(cgroups[path], knob)]),
      ),
    )
  }

  /** Adds a write of what may be one line of many. */
  change(hierarchy: string, path: string, knob: string, value: string): void {
    const before = this.knob(hierarchy, path, knob)
    const version = this.#state.hierarchies.find(({ id }) => id === hierarchy)?.version ?? 1
    const previous = (before === undefined ? undefined : undoValue(version, knob, value, before)) ?? null
    this.add({ kind: 'write-knob', hierarchy, path, knob, value, previous })
  }

  finish(sandbox: string): Plan {
    const stages = this.#stages.filter(({ operations }) => operations.length > 0)
    const mounts = this.#state.hierarchies.map(({ id, mountPoint }) => [id, mountPoint])
    return deepFreeze({ sandbox, mounts: Object.fromEntries(mounts), stages, warnings: [...this.#warnings] })
  }
}
