import type { Seat } from './engine/rendezvous'
import type { Report } from './engine/report'
import type { VmProcess } from './engine/vm-process'
import type { Host } from './host/detect'
import { isSameProcess } from './host/origins'
import { checkHypervisor, type Hypervisor } from './hypervisor/hypervisor'
import { checkLaunch, type LaunchOptions } from './launch-options'
import { checkText } from './model/argument'
import { type ContainerConfig, type ContainerResources, containerResources } from './model/container'
import { mergeContainerResources } from './model/merge'
import { unappliedFields, unsummedLimits } from './model/unapplied'
import { checkPlan } from './plan/checked-plan'
import type { Plan } from './plan/operations'
import type { Wanted } from './sandbox-look'
import type { ActOptions, ApplyOptions, AttachOptions } from './sandbox-options'
import type { MergedFrom, SessionApplyOptions } from './sandbox-session'
import type { SandboxThread } from './sandbox-threads'
import { refuseFrozen, setFrozen } from './session-freezer'
import { type GateKey, type GateOptions, SessionGate } from './session-gate'
import { launchVmm, refuseRunning } from './session-launch'
import { keepOut } from './session-leaving'
import { joinScope, resumeScope, startScope } from './session-scope'
import type { MergeState } from './state/state-file'

/**
 * What a `Sandbox` stands on: the session of a cgroup with a leaf for vCPU threads, the containers that it was told of,
 * and the hypervisor that it asks.
 */
export class ManagedVm {
  readonly gate: SessionGate
  readonly #merge: MergeState
  readonly #containers = new Map<string, ContainerResources>()
  #hypervisor: { readonly hypervisor: Hypervisor; readonly isOwn: boolean } | undefined

  private constructor(gate: SessionGate, merge: MergeState) {
    this.gate = gate
    this.#merge = merge
  }

  /**
   * @param merge how containers are merged; what is left out is as it was, and in a new one as by default.
   * @param containers those to begin with; undefined: those of the last `apply()` that went through.
   * @param begin makes the object that stands on it.
   * @throws as `Sandbox.create()` and `load()`.
   */
  static open<T>(
    host: Host,
    key: GateKey,
    options: GateOptions & MergeOptions,
    containers: readonly ContainerConfig[] | undefined,
    begin: (vm: ManagedVm) => T,
  ): Promise<T> {
    return SessionGate.open(host, key, options, async (gate) => {
      const { state } = gate.session
      const vm = new ManagedVm(gate, mergeOf(options, containers === undefined ? state.merge : DEFAULTS))
      for (const container of containers ?? state.containers.map(configOf)) vm.setContainer(container)
      // What was there may have become impossible since, and can still be changed or destroyed.
      if (containers !== undefined) {
        await resumeScope(gate.session, options)
        await gate.session.plan(vm.#merged(), undefined, options)
      }
      return begin(vm)
    })
  }

  setContainer(container: ContainerConfig): void {
    this.gate.refuseClosed()
    const read = containerResources(container)
    for (const text of this.#unheldBy(read))
      this.gate.log.warn({ sandbox: this.#id, container: read.id }, text)
    this.#containers.set(read.id, read)
  }

  removeContainer(id: string): void {
    this.gate.refuseClosed()
    checkText("a container's id", id)
    this.#containers.delete(id)
  }

  get hypervisor(): Hypervisor | undefined {
    return this.#hypervisor?.hypervisor
  }

  attach(hypervisor: Hypervisor, options: AttachOptions): Promise<void> {
    return this.gate.act(options, async () => {
      checkHypervisor(hypervisor)
      const { session } = this.gate
      const pid = hypervisor.pid()
      const { processes } = session.state
      const isKnown = processes.some((known) => known.pid === pid && isSameProcess(known))
      await session.remember(pid, 'vmm')
      await startScope(session, pid, options).catch(async (error) => {
        await keepOut(session, isKnown ? [] : [pid], error)
        // The VMM before it, which is still the one.
        await session.save({ processes: processes.filter(isSameProcess) })
        throw error
      })
      await session.rememberKernelThreads(options)
      await this.#take(hypervisor, options.own)
    })
  }

  async launch(file: string, args: readonly string[], options: LaunchOptions): Promise<VmProcess> {
    const process = await this.gate.act(options, async () => {
      const launch = checkLaunch(file, args, options)
      refuseRunning(this.gate.session)
      await this.#take(undefined)
      return launchVmm(this.gate.session, launch, {
        apply: (signal) => this.#applyContainers({ signal }),
        attach: (hypervisor) => this.#take(hypervisor),
        place: async () => this.#settleApplied({ signal: options.signal }),
      })
    })
    process.dropUnread()
    return process
  }

  add(pid: number, options: ActOptions): Promise<Report | undefined> {
    return this.gate.act(options, async () => {
      const { session } = this.gate
      const isKnown = session.state.processes.some((known) => known.pid === pid && isSameProcess(known))
      await session.remember(pid, 'helper')
      const enter = async (): Promise<Report | undefined> => {
        await joinScope(session, pid, options)
        return session.state.applied === null ? undefined : this.#settleApplied(options)
      }
      return enter().catch(async (error) => {
        await keepOut(session, isKnown ? [] : [pid], error)
        throw error
      })
    })
  }

  plan(options: ActOptions): Promise<Plan> {
    return this.gate.look(options, async () => {
      const plan = await this.gate.session.plan(this.#merged(), this.hypervisor, options)
      return Object.freeze({ ...plan, warnings: Object.freeze([...plan.warnings, ...this.#unheld()]) })
    })
  }

  /** @param seat where it waits for others before threads are moved. */
  apply(options: ApplyOptions, seat?: Seat): Promise<Report> {
    return this.gate.act(options, async () => {
      if (options.plan !== undefined) checkPlan(options.plan)
      return this.#applyContainers({ ...options, seat })
    })
  }

  refresh(options: ActOptions): Promise<Report> {
    return this.gate.act(options, () => {
      if (this.#hypervisor === undefined) this.gate.session.refuseUnasked()
      return this.#settleApplied(options)
    })
  }

  threads(options: ActOptions): Promise<readonly SandboxThread[]> {
    return this.gate.session.threads(this.hypervisor, options)
  }

  freeze(options: ActOptions): Promise<void> {
    return this.gate.act(options, async () => {
      const { session } = this.gate
      if (session.state.applied !== null && !session.isFreezable) {
        if (this.#hypervisor === undefined) session.refuseUnasked()
        await session.rememberFreezer()
        await this.#settleApplied(options)
      }
      await setFrozen(session, true, options)
    })
  }

  thaw(options: ActOptions): Promise<void> {
    return this.gate.act(options, async () => {
      const { session } = this.gate
      if (session.isFreezable) await setFrozen(session, false, options)
    })
  }

  close(): Promise<void> {
    return this.gate.close(async () => {
      if (this.#hypervisor?.isOwn === true) await this.#hypervisor.hypervisor.close()
    })
  }

  /** Asks this one from now on, and nobody where it is undefined. */
  async #take(hypervisor: Hypervisor | undefined, isOwn = true): Promise<void> {
    const before = this.#hypervisor
    this.#hypervisor = hypervisor === undefined ? undefined : { hypervisor, isOwn }
    if (before?.isOwn === true && before.hypervisor !== hypervisor) await before.hypervisor.close()
  }

  async #applyContainers({ plan, signal, seat }: SessionApplyOptions): Promise<Report> {
    const containers = [...this.#containers.values()].map(({ id, resources }) => ({
      id,
      resources: resources ?? null,
    }))
    const from = { containers, merge: this.#merge }
    const report = await this.#settle(this.#merged(), from, { plan, signal, seat })
    return { ...report, warnings: [...report.warnings, ...this.#unheld()] }
  }

  /** What of the containers' limits does not hold: one that is silently not there is worse than none. */
  #unheld(): readonly string[] {
    const containers = [...this.#containers.values()]
    const isMemoryLimited = this.#merge.memoryOverheadBytes !== null
    const unsummed = unsummedLimits(containers, isMemoryLimited).map((text) => `${this.#id}: ${text}`)
    return [...containers.flatMap((container) => this.#unheldBy(container)), ...unsummed]
  }

  #unheldBy({ id, resources, warning }: ContainerResources): readonly string[] {
    const unapplied = unappliedFields(resources, this.#merge.memoryOverheadBytes !== null)
    return [
      ...(warning === undefined ? [] : [warning]),
      ...(unapplied.length === 0 ? [] : [`not applied by this version of vmcg: ${unapplied.join(', ')}`]),
    ].map((text) => `sandbox ${this.#id}, container ${id}: ${text}`)
  }

  get #id(): string {
    return this.gate.session.state.id
  }

  #merged(): Wanted {
    const containers = [...this.#containers.values()]
    const { unlimited, memoryOverheadBytes } = this.#merge
    const { devices: _devices, ...resources } = mergeContainerResources(containers, {
      unlimited,
      memoryOverheadBytes: memoryOverheadBytes ?? undefined,
    })
    return { resources, devices: null, unsupported: this.#merge.unsupported }
  }

  async #settleApplied(options: ActOptions): Promise<Report> {
    const { applied, containers, merge } = this.gate.session.state
    const wanted = { resources: applied ?? {}, devices: null, unsupported: merge.unsupported }
    return this.#settle(wanted, { containers, merge }, options)
  }

  async #settle(wanted: Wanted, from: MergedFrom, options: SessionApplyOptions): Promise<Report> {
    // A frozen VMM would be waited for, with the lock held, until its monitor is given up.
    if (this.#hypervisor !== undefined) await refuseFrozen(this.gate.session, options)
    // A plan that was made before would not fit any more.
    if (options.plan === undefined) await this.gate.session.rememberNewKernelThreads(options)
    return this.gate.reported(await this.gate.session.apply(wanted, from, this.hypervisor, options))
  }
}

/** How containers become one, as far as somebody says so. */
export interface MergeOptions {
  readonly unlimited?: MergeState['unlimited'] | undefined
  readonly memoryOverheadBytes?: number | undefined
  readonly unsupported?: MergeState['unsupported'] | undefined
}

const DEFAULTS: MergeState = { unlimited: 'ignore', memoryOverheadBytes: null, unsupported: 'error' }

function mergeOf(options: MergeOptions, otherwise: MergeState): MergeState {
  const { unlimited = otherwise.unlimited, memoryOverheadBytes = otherwise.memoryOverheadBytes } = options
  const { unsupported = otherwise.unsupported } = options
  return { unlimited, memoryOverheadBytes, unsupported }
}

function configOf({ id, resources }: MergedFrom['containers'][number]): ContainerConfig {
  return { id, spec: resources === null ? {} : { linux: { resources } } }
}
