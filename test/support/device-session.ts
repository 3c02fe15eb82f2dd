import type { OperationOutcome } from '../../src/engine/execute'
import { kernelExecutor } from '../../src/engine/execute'
import { Roots } from '../../src/engine/lane'
import type { Hierarchy } from '../../src/host/hierarchies'
import { observe } from '../../src/host/observe'
import type { Desired } from '../../src/plan/desired'
import { planDevicesV2 } from '../../src/plan/devices-v2'
import { type Observed, type ObservedProgram, pathChain } from '../../src/plan/observed'
import { operationsOf, type Plan, type Stage } from '../../src/plan/operations'
import { PlanBuilder } from '../../src/plan/plan-builder'
import { type RememberedProgram, rememberedAfter, rememberedBefore } from '../../src/plan/remembered-program'
import { desired } from './sandbox-states'

/** The device rules of one v2 cgroup, as a sandbox's session would hold them: it looks, plans, remembers and acts. */
export class DeviceSession {
  readonly #roots = new Roots()
  readonly #hierarchy: Hierarchy
  readonly #id: string
  memory: RememberedProgram | null

  /** @param id the name of the cgroup, at the top of the hierarchy. */
  constructor(hierarchy: Hierarchy, id: string, memory: RememberedProgram | null = null) {
    this.#hierarchy = hierarchy
    this.#id = id
    this.memory = memory
  }

  look(): Promise<Observed> {
    return observe(
      this.#roots,
      {
        hierarchies: [this.#hierarchy],
        surroundings: () => pathChain(`/${this.#id}`),
        own: () => [],
        knobs: [],
        tagAttribute: 'trusted.vmcg',
        pids: [],
        devicePrograms: true,
      },
      {},
    )
  }

  async programs(): Promise<readonly ObservedProgram[]> {
    const { hierarchies } = await this.look()
    const programs = hierarchies[0]?.cgroups[`/${this.#id}`]?.devicePrograms
    if (programs?.kind !== 'programs') throw new Error(`the programs of ${this.#id} cannot be read`)
    return programs.programs
  }

  async plan(devices: Desired['devices']): Promise<Plan> {
    const builder = new PlanBuilder(await this.look())
    builder.stage('limits')
    planDevicesV2(builder, desired({ id: this.#id, parent: '/', devices, program: this.memory }))
    return builder.finish(this.#id)
  }

  /** What the kernel answered; nothing where there was nothing to do. */
  async apply(devices: Desired['devices']): Promise<readonly OperationOutcome[]> {
    const plan = await this.plan(devices)
    this.memory = rememberedBefore(this.memory, operationsOf(plan))
    const outcomes = await this.execute(plan)
    this.memory = rememberedAfter(this.memory, outcomes)
    return outcomes
  }

  /** Carries a plan out and remembers nothing, as a process that ends before it can. */
  async execute(plan: Plan): Promise<readonly OperationOutcome[]> {
    const execute = kernelExecutor(this.#roots, { deadlineMs: 10_000, onOverdue: () => undefined })
    const stage: Stage = { name: 'limits', operations: operationsOf(plan) }
    return execute(plan, stage, {})
  }

  close(): void {
    this.#roots.close()
  }
}
