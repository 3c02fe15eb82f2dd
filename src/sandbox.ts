import { inspect } from 'node:util'
import type { DestroyReport } from './engine/drain'
import type { Report } from './engine/report'
import { VmcgError } from './errors'
import { detectHost } from './host/detect'
import { sandboxHierarchies } from './host/sandbox-hierarchies'
import type { SandboxStats } from './host/stats'
import type { Hypervisor } from './hypervisor/hypervisor'
import { defaultLogger, type Logger } from './log'
import { type ContainerConfig, type ContainerResources, containerResources } from './model/container'
import { mergeCpu } from './model/cpu-merge'
import type { LinuxResources } from './model/generated/oci'
import { checkParentPath } from './model/parent-path'
import { checkSandboxId } from './model/sandbox-id'
import { unappliedFields } from './model/unapplied'
import type { Plan } from './plan/operations'
import type {
  ActOptions,
  ApplyOptions,
  AttachOptions,
  DestroyOptions,
  SandboxOptions,
} from './sandbox-options'
import { SandboxSession } from './sandbox-session'
import type { SandboxThread } from './sandbox-threads'
import { sandboxTree } from './sandbox-tree'
import type { HeldLock } from './state/lock'
import { SandboxStore } from './state/sandbox-store'
import { SerialQueue } from './state/serial-queue'
import { defaultStateDirectory } from './state/state-directory'

const DEFAULT_PARENT = '/kata'
const DEFAULT_LOCK_TIMEOUT_MS = 10_000

/**
 * The cgroups of one VM: `<parent>/<id>` for the VMM and its helpers, `<parent>/<id>/vcpu` for its vCPU threads, which
 * are held to what the containers ask for. Kata: virtcontainers/cgroups.go.
 *
 * Every acting method may be called twice, waits for the one before it, and works under a lock that other objects and
 * processes respect. All of them reject with `ERR_VMCG_CLOSED` after `close()`, with `ERR_VMCG_DESTROYED` once the
 * sandbox has been destroyed (but `destroy()` itself), with `ERR_VMCG_BUSY` when another process keeps the lock, and
 * with `signal.reason` after an abort.
 */
export class Sandbox {
  readonly #session: SandboxSession
  readonly #store: SandboxStore
  readonly #log: Logger
  readonly #lockTimeoutMs: number
  readonly #unlimited: 'ignore' | 'uncap'
  readonly #containers = new Map<string, ContainerResources>()
  readonly #queue = new SerialQueue()
  #hypervisor: { readonly hypervisor: Hypervisor; readonly isOwn: boolean } | undefined
  #isClosed = false

  private constructor(session: SandboxSession, store: SandboxStore, options: SandboxOptions) {
    this.#session = session
    this.#store = store
    this.#log = options.logger ?? defaultLogger()
    this.#lockTimeoutMs = options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS
    this.#unlimited = options.unlimited ?? 'ignore'
    for (const container of options.containers ?? []) this.setContainer(container)
  }

  /**
   * Takes up the sandbox of this id and parent, or begins a new one. No cgroup is made before `apply()`.
   *
   * @throws `ERR_VMCG_INVALID_ID`, `ERR_VMCG_INVALID_PATH` (parent), `ERR_VMCG_INVALID_SPEC` (a container),
   *   `ERR_VMCG_NO_CONTROLLER`, `ERR_VMCG_UNSUPPORTED` (the cpu controller is on cgroup v2), `ERR_VMCG_STATE`,
   *   `ERR_VMCG_FOREIGN_CGROUP` (its cgroups exist and are somebody else's), `ERR_VMCG_BUSY`.
   */
  static async create(options: SandboxOptions): Promise<Sandbox> {
    const id = checkSandboxId(options.id)
    const parent = checkParentPath(options.parent ?? DEFAULT_PARENT)
    const host = detectHost()
    sandboxHierarchies(host, { resources: {}, managed: [] })
    const store = new SandboxStore(options.stateDir ?? defaultStateDirectory(), {
      driver: 'cgroupfs',
      parent,
      id,
    })
    const lockOptions = {
      timeoutMs: options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS,
      signal: options.signal,
    }
    return store.locked(lockOptions, async (lock) => {
      const stored = await store.read()
      const state = stored ?? store.fresh()
      const session = new SandboxSession(host, store, state)
      try {
        const sandbox = new Sandbox(session, store, options)
        await session.plan(sandbox.#merged(), undefined, options)
        if (stored === undefined) await store.write(state)
        return sandbox
      } catch (error) {
        session.close()
        if (stored === undefined) lock.removeFile()
        throw error
      }
    })
  }

  get id(): string {
    return this.#session.state.id
  }

  /** Paths below the mount point of each hierarchy. */
  get paths(): { readonly parent: string; readonly sandbox: string; readonly vcpu: string } {
    return this.#session.paths
  }

  /**
   * Adds a container, or replaces the one of the same id. In memory only: `apply()` carries it out.
   *
   * @throws `ERR_VMCG_INVALID_SPEC` naming the container and the JSON path.
   */
  setContainer(container: ContainerConfig): void {
    this.#refuseClosed()
    const read = containerResources(container)
    if (read.warning !== undefined) this.#warn(read.warning, read.id)
    const unapplied = unappliedFields(read.resources)
    if (unapplied.length > 0)
      this.#warn(`not applied by this version of vmcg: ${unapplied.join(', ')}`, read.id)
    this.#containers.set(read.id, read)
  }

  /** Forgets a container; unknown ids are ignored. In memory only: `apply()` lifts or lowers what it asked for. */
  removeContainer(id: string): void {
    this.#refuseClosed()
    this.#containers.delete(id)
  }

  /**
   * Says which VM this sandbox holds. Its threads are placed by the next `apply()` or `refresh()`. The VMM that was
   * attached before is forgotten. The sandbox owns the connection from then on, unless `own` is false.
   *
   * @throws `ERR_VMCG_VM_GONE` when the VMM has ended.
   */
  attach(hypervisor: Hypervisor, options: AttachOptions = {}): Promise<void> {
    return this.#act(options, async () => {
      await this.#session.remember(hypervisor.pid(), 'vmm')
      const before = this.#hypervisor
      this.#hypervisor = { hypervisor, isOwn: options.own ?? true }
      if (before?.isOwn === true && before.hypervisor !== hypervisor) await before.hypervisor.close()
    })
  }

  /**
   * Says that a process (virtiofsd, swtpm) serves this VM: all of its threads belong into `<parent>/<id>`. It is moved
   * at once where the sandbox has been applied, and by the first `apply()` otherwise.
   *
   * @throws `ERR_VMCG_VM_GONE` when there is no such process; what `refresh()` throws.
   */
  add(pid: number, options: ActOptions = {}): Promise<Report | undefined> {
    return this.#act(options, async () => {
      await this.#session.remember(pid, 'helper')
      return this.#session.state.applied === null ? undefined : this.#settleApplied(options)
    })
  }

  /** What `apply()` would do now. Writes nothing. @throws what planning throws, as `apply()` */
  plan(options: ActOptions = {}): Promise<Plan> {
    return this.#queue.run(async () => {
      this.#refuseClosed()
      await this.#session.reload()
      return this.#session.plan(this.#merged(), this.#hypervisor?.hypervisor, options)
    }, options.signal)
  }

  /**
   * Makes the cgroups, sets the limits that the containers ask for, places every thread, and looks until nothing is
   * amiss. Writes nothing where everything is as it should be.
   *
   * @throws the kernel's error (`EINVAL`, `EACCES`, ...) when a knob or directory operation fails: the limits written
   *   before it are taken back, and `error.report` tells what stands. `ERR_VMCG_PLAN_STALE`, `ERR_VMCG_VM_GONE`,
   *   `ERR_VMCG_VERIFY`, `ERR_VMCG_FOREIGN_CGROUP`, `ERR_VMCG_OUT_OF_RANGE` (CPUs that the parent does not have, a
   *   quota that the kernel cannot take), `ERR_VMCG_QMP_…`.
   */
  apply(options: ApplyOptions = {}): Promise<Report> {
    return this.#act(options, async () => {
      const containers = [...this.#containers.values()].map(({ id, resources }) => ({
        id,
        resources: resources ?? null,
      }))
      const hypervisor = this.#hypervisor?.hypervisor
      return this.#reported(await this.#session.apply(this.#merged(), containers, hypervisor, options))
    })
  }

  /**
   * As `apply()`, but with the limits of the last one: finds threads that are new (a hot-plugged vCPU), places them,
   * and lets the weight of `vcpu` follow the number of vCPUs. Containers that were changed since are not looked at.
   */
  refresh(options: ActOptions = {}): Promise<Report> {
    return this.#act(options, () => this.#settleApplied(options))
  }

  /** CPU time and throttling of each role, in microseconds, and the quota in force. */
  async stats(options: ActOptions = {}): Promise<SandboxStats> {
    this.#refuseClosed()
    return this.#session.stats(options)
  }

  /** Every thread of the VMM and its helpers, with its role and where it is. */
  async threads(options: ActOptions = {}): Promise<readonly SandboxThread[]> {
    this.#refuseClosed()
    return this.#session.threads(this.#hypervisor?.hypervisor, options)
  }

  /**
   * Takes the sandbox's cgroups away: the living go back to where they came from (or are killed), the directories go
   * from the leaf up, the parent stays. Also for a sandbox that is gone already.
   *
   * @throws `ERR_VMCG_BUSY` when something in the sandbox does not leave; `ERR_VMCG_FOREIGN_CGROUP`.
   */
  destroy(options: DestroyOptions = {}): Promise<DestroyReport> {
    const { processes = 'move', signal } = options
    const nothing: DestroyReport = { sandbox: this.id, moved: [], removed: [], unlimited: [] }
    return this.#locked(options, async (lock) => {
      const stored = await this.#store.read()
      if (stored?.nonce !== this.#session.state.nonce) {
        if (stored === undefined) lock.removeFile()
        return nothing
      }
      await this.#session.reload()
      const report = await this.#session.destroy(lock, { processes, signal })
      this.#log.info(report, 'sandbox destroyed')
      return report
    })
  }

  /** Releases descriptors and the hypervisor's connection. The limits stay in force, and the state stays on disk. */
  close(): Promise<void> {
    return this.#queue.run(async () => {
      if (this.#isClosed) return
      this.#isClosed = true
      this.#session.close()
      if (this.#hypervisor?.isOwn === true) await this.#hypervisor.hypervisor.close()
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [inspect.custom](): string {
    return sandboxTree(this.#session.state, this.paths, !this.#isClosed)
  }

  /** Only what a sandbox acts on: a conflict in what it does not apply is no reason to leave the VM without limits. */
  #merged(): LinuxResources {
    const demands = [...this.#containers.values()].map(({ resources }) => resources?.cpu ?? {})
    return { cpu: mergeCpu(demands, { unlimited: this.#unlimited }) }
  }

  async #settleApplied(options: ActOptions): Promise<Report> {
    const { applied, containers } = this.#session.state
    const hypervisor = this.#hypervisor?.hypervisor
    return this.#reported(await this.#session.apply(applied ?? {}, containers, hypervisor, options))
  }

  #reported(report: Report): Report {
    for (const warning of report.warnings) this.#log.warn({ sandbox: this.id }, warning)
    for (const left of report.left)
      this.#log.warn({ sandbox: this.id, ...left }, 'a thread could not be placed')
    const { isChanged, looks, placed, vanished } = report
    this.#log.debug({ sandbox: this.id, isChanged, looks, placed, vanished }, 'sandbox applied')
    return report
  }

  #act<T>(options: ActOptions, act: () => Promise<T>): Promise<T> {
    return this.#locked(options, async () => {
      await this.#session.reload()
      return act()
    })
  }

  #locked<T>(options: ActOptions, act: (lock: HeldLock) => Promise<T>): Promise<T> {
    return this.#queue.run(() => {
      this.#refuseClosed()
      return this.#store.locked({ timeoutMs: this.#lockTimeoutMs, signal: options.signal }, act)
    }, options.signal)
  }

  #refuseClosed(): void {
    if (this.#isClosed) {
      throw new VmcgError('ERR_VMCG_CLOSED', `sandbox ${this.id} has been closed`, {
        hint: 'Sandbox.create() with the same id and parent takes it up again',
      })
    }
  }

  #warn(text: string, container: string): void {
    this.#log.warn({ sandbox: this.id, container }, `sandbox ${this.id}, container ${container}: ${text}`)
  }
}
