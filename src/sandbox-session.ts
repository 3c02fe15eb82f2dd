import { isDeepStrictEqual } from 'node:util'
import { idsBelow } from './engine/cgroup-tree'
import { endStandstill } from './engine/end-standstill'
import type { StageExecutor } from './engine/execute'
import { Roots, type SubmitOptions } from './engine/lane'
import type { Seat } from './engine/rendezvous'
import type { Report } from './engine/report'
import { type IsRealtime, retryNewborn } from './engine/retry-newborn'
import { settle } from './engine/settle'
import type { CgroupStats } from './host/cgroup-figures'
import type { Host } from './host/detect'
import type { Hierarchy } from './host/hierarchies'
import { identifyIn } from './host/identify'
import { givesKernelThreads, kernelThreadsOf } from './host/kernel-threads'
import { isSameProcess } from './host/origins'
import { isRealtimeProcess, isRealtimeThread } from './host/process'
import { freezingHierarchy } from './host/sandbox-hierarchies'
import type { StatsMeter } from './host/stats-meter'
import type { Hypervisor } from './hypervisor/hypervisor'
import type { DeviceUse } from './model/devices/device-use'
import { type SandboxPaths, sandboxPaths } from './plan/desired'
import { managedWith, managedWithoutLifted } from './plan/managed'
import { operationsOf, type Plan, type Stage } from './plan/operations'
import { planSandbox } from './plan/plan-sandbox'
import { rememberedAfter, rememberedBefore } from './plan/remembered-program'
import { FREEZER_STATE, type Standstill } from './plan/stand-still'
import { readFigures } from './read-figures'
import { lookAtSandbox, lookAtTeardown, type Wanted } from './sandbox-look'
import { listThreads, type SandboxThread } from './sandbox-threads'
import { destroyed, notAttached } from './session-errors'
import { sessionExecutor } from './session-executor'
import { withProcess, withThreads } from './session-members'
import { SessionMeter } from './session-meter'
import { liftMirror, showMirror } from './session-mirror'
import { orScopeGone, plannedState, requireScope, resumeScope } from './session-scope'
import { KeptState } from './state/kept-state'
import type { HeldLock } from './state/lock'
import type { SandboxStore } from './state/sandbox-store'
import type { ProcessState, SandboxState } from './state/state-file'
import { type SystemdCallOptions, SystemdUnits } from './systemd/systemd-units'

export interface SessionApplyOptions extends SubmitOptions {
  readonly plan?: Plan | undefined
  /** Where it waits for others before threads are moved. @default it does not */
  readonly seat?: Seat | undefined
}

/** What merged resources were merged from. The session only remembers it. */
export type MergedFrom = Pick<SandboxState, 'containers' | 'merge'>

/**
 * One sandbox on this host: what the state says, what the kernel says, and the work that brings the two together. It
 * knows merged resources, not containers. Acting methods are called with the store's lock held.
 */
export class SandboxSession {
  readonly #host: Host
  readonly #store: SandboxStore
  readonly #writeTimeoutMs: number | undefined
  readonly #roots = new Roots()
  readonly #meter = new SessionMeter()
  readonly #kept: KeptState
  #systemdUnits: SystemdUnits | undefined

  constructor(host: Host, store: SandboxStore, state: SandboxState, writeTimeoutMs?: number) {
    this.#host = host
    this.#store = store
    this.#writeTimeoutMs = writeTimeoutMs
    this.#kept = new KeptState(state)
  }

  /** With systemd, those that it is expected to give until there is a unit. */
  get paths(): SandboxPaths {
    return sandboxPaths(this.state)
  }

  /** The way to systemd, which is taken when it is first needed. @throws as `SystemdUnits.open()` */
  async systemdUnits({ signal }: SystemdCallOptions): Promise<SystemdUnits> {
    const units = this.#systemdUnits ?? (await SystemdUnits.open({ signal }))
    this.#systemdUnits = units
    return units
  }

  get host(): Host {
    return this.#host
  }

  get roots(): Roots {
    return this.#roots
  }

  get state(): SandboxState {
    return this.#kept.value
  }

  /** Takes less memory, until it is next worked with. */
  rest(): void {
    this.#kept.rest()
  }

  get doorPath(): string {
    return this.#store.doorPath
  }

  get socketDirectory(): string {
    return this.#store.socketDirectory
  }

  /**
   * Takes over what another object or process has written meanwhile.
   *
   * @throws `ERR_VMCG_DESTROYED` when this sandbox is there no more.
   */
  async reload(): Promise<void> {
    const stored = await this.#store.read()
    if (stored?.nonce !== this.state.nonce) {
      throw destroyed(this.state.id)
    }
    this.#kept.value = stored
  }

  /** Remembers a process and where it came from. A VMM takes the place of the one before; the dead are forgotten. */
  async remember(pid: number, role: ProcessState['role']): Promise<void> {
    await this.save(await withProcess(this.#host, this.state, pid, role))
  }

  /** Remembers the kernel's own threads that work for the VMM: they belong where its other threads are. */
  async rememberKernelThreads(options: SubmitOptions): Promise<void> {
    const vmm = this.#livingVmm
    if (vmm === undefined) return
    for (const pid of await kernelThreadsOf(this.#roots, vmm.pid, options)) {
      const isKnown = this.state.processes.some((known) => known.pid === pid && isSameProcess(known))
      if (!isKnown) await this.remember(pid, 'helper')
    }
  }

  /** Those that it can have got since it was attached. */
  async rememberNewKernelThreads(options: SubmitOptions): Promise<void> {
    if (givesKernelThreads(this.#host.kernel)) await this.rememberKernelThreads(options)
  }

  /**
   * Remembers single threads that were put in by hand.
   *
   * @throws `ERR_VMCG_VM_GONE` for a thread that is not there.
   */
  async rememberThreads(tids: readonly number[]): Promise<void> {
    await this.save(await withThreads(this.#host, this.state, tids))
  }

  /**
   * Whether it can be frozen as it is: on v1 that takes a cgroup more.
   *
   * @throws `ERR_VMCG_NO_CONTROLLER` where there is no freezer.
   */
  get isFreezable(): boolean {
    return this.state.claimed.includes(freezingHierarchy(this.#host, this.state.takenOver).id)
  }

  /** Remembers that it is to be in the freezer as well. */
  async rememberFreezer(): Promise<void> {
    const { id } = freezingHierarchy(this.#host, this.state.takenOver)
    const freezer = { hierarchy: id, path: this.paths.sandbox, knob: FREEZER_STATE, value: 'THAWED' }
    await this.save({ managed: [...this.state.managed, freezer] })
  }

  /**
   * Only an object that the VMM was attached to can ask which of its threads are vCPUs.
   *
   * @throws `ERR_VMCG_NOT_ATTACHED` while the state remembers a VMM that is alive.
   */
  refuseUnasked(): void {
    const vmm = this.#livingVmm
    if (vmm !== undefined) throw notAttached(this.state.id, vmm.pid)
  }

  async rememberDevices(devices: readonly DeviceUse[]): Promise<void> {
    await this.save({ devices })
  }

  async plan(wanted: Wanted, hypervisor: Hypervisor | undefined, options: SubmitOptions): Promise<Plan> {
    const context = { host: this.#host, roots: this.#roots, state: plannedState(this) }
    const { desired, observed } = await lookAtSandbox(context, wanted, hypervisor, options)
    return planSandbox(desired, observed)
  }

  /**
   * Brings the sandbox to what is wanted, and remembers that and what it was merged from.
   *
   * @throws with systemd as {@link requireScope}.
   */
  async apply(
    wanted: Wanted,
    from: MergedFrom,
    hypervisor: Hypervisor | undefined,
    options: SessionApplyOptions,
  ): Promise<Report> {
    await resumeScope(this, options)
    await requireScope(this, options)
    await liftMirror(this, wanted.resources, options)
    const execute = retryNewborn(this.executor(), isRealtime)
    let claimed: Plan | undefined
    const claimThenExecute: StageExecutor = async (plan, stage, stageOptions) => {
      const hasProgram = stage.operations.some(({ kind }) => kind === 'device-program')
      if (claimed !== plan || hasProgram) await this.#claim(plan, stage)
      claimed = plan
      if (stage.name === 'placement') await options.seat?.ready()
      const outcomes = await execute(plan, stage, stageOptions)
      await this.save({ program: rememberedAfter(this.state.program, outcomes) })
      return outcomes
    }
    const look = (isBrief?: boolean) => lookAtSandbox(this, wanted, hypervisor, { ...options, isBrief })
    const identify = identifyIn(this.#host.hierarchies)
    const report = await settle(look, claimThenExecute, { ...options, identify }).catch(async (error) => {
      // What is thrown already says more than that these cannot be done either; whoever acts next tries again.
      await this.endStandstill().catch(() => undefined)
      await showMirror(this, this.state.applied ?? {}, {}).catch(() => undefined)
      throw await orScopeGone(this, error)
    })
    const { resources } = wanted
    const managed = managedWithoutLifted(this.state.managed, { ...this.state, resources })
    await this.save({ ...from, applied: resources, managed })
    await showMirror(this, resources, options).catch(async (error) => {
      throw await orScopeGone(this, error)
    })
    const unasked = hypervisor === undefined ? this.#livingVmm : undefined
    if (unasked === undefined) return report
    const warning = `sandbox ${this.state.id}: its VMM ${unasked.pid} is not attached, so its threads were not placed`
    return { ...report, warnings: [...report.warnings, warning] }
  }

  /** Thaws what this process, or one that ended, has frozen for its writes, once these are complete. */
  async endStandstill(): Promise<void> {
    const { standstill } = this.state
    if (standstill === null) return
    // Refuses what is not ours; nobody is to leave.
    await lookAtTeardown(this, {}, 'leave')
    await endStandstill(this.#roots, this.#host.hierarchies, standstill)
    await this.save({ standstill: null })
  }

  /** Writes down what is about to be made and set, so that whoever comes after a crash knows what is ours. */
  async #claim(plan: Plan, stage: Stage): Promise<void> {
    const claimed = [...new Set([...this.state.claimed, ...Object.keys(plan.mounts)])]
    const managed = managedWith(this.state.managed, operationsOf(plan), this.state)
    const program = rememberedBefore(this.state.program, stage.operations)
    await this.save({ claimed, managed, program })
  }

  async threads(
    hypervisor: Hypervisor | undefined,
    options: SubmitOptions,
  ): Promise<readonly SandboxThread[]> {
    const { applied, merge } = this.state
    const wanted = { resources: applied ?? {}, devices: null, unsupported: merge.unsupported }
    return listThreads(await lookAtSandbox(this, wanted, hypervisor, options), this.paths)
  }

  /** What reads its figures. */
  get meter(): StatsMeter {
    return this.#meter.current(this.#host, this.#roots, this.paths, this.state)
  }

  /** The figures of every controller that the cgroup is in. */
  async figures({ signal }: SubmitOptions): Promise<CgroupStats> {
    return readFigures(this.meter, signal)
  }

  /** Every thread that is in one of our own cgroups, in whatever hierarchy. */
  async tids(options: SubmitOptions): Promise<readonly number[]> {
    const { observed } = await lookAtTeardown(this, options, 'leave')
    const { sandbox, vcpu } = this.paths
    const own = observed.hierarchies.flatMap(({ cgroups }) => [cgroups[sandbox], cgroups[vcpu]])
    return [...new Set(own.flatMap((cgroup) => cgroup?.tids ?? []))].sort((a, b) => a - b)
  }

  /** Every process with a thread in one of our own cgroups. */
  async pids(options: SubmitOptions): Promise<readonly number[]> {
    return idsBelow(this.#roots, this.claimed, this.paths.sandbox, 'cgroup.procs', options)
  }

  /** Takes the state away. The cgroups are gone by then. */
  async removeState(lock: HeldLock): Promise<void> {
    await this.#store.remove(lock)
  }

  /** What writes for it. */
  executor(): StageExecutor {
    const remember = (standstill: Standstill | null) => this.save({ standstill })
    return sessionExecutor({
      host: this.#host,
      roots: this.#roots,
      store: this.#store,
      writeTimeoutMs: this.#writeTimeoutMs,
      remember,
    })
  }

  close(): void {
    this.#meter.close()
    this.#systemdUnits?.close()
    this.#roots.close()
  }

  /** The VMM that the state remembers, while it is alive. */
  get #livingVmm(): ProcessState | undefined {
    return this.state.processes.find((process) => process.role === 'vmm' && isSameProcess(process))
  }

  /** The hierarchies that it has directories in, or was about to make some in. */
  get claimed(): readonly Hierarchy[] {
    return this.#host.hierarchies.filter(({ id }) => this.state.claimed.includes(id))
  }

  /** Remembers these changes, on disk first. */
  async save(changes: Partial<SandboxState>): Promise<void> {
    const state = { ...this.state, ...changes }
    const isSame = Object.entries(changes).every(([field, value]) =>
      isDeepStrictEqual(value, Reflect.get(this.state, field)),
    )
    if (isSame) return
    await this.#store.write(state)
    this.#kept.value = state
  }
}

const isRealtime: IsRealtime = (operation, id) =>
  operation.kind === 'move-process' ? isRealtimeProcess(id) : isRealtimeThread(id)
