import { inspect } from 'node:util'
import { checkActOptions, checkOpenOptions } from './checked-options'
import type { DestroyReport } from './engine/drain'
import type { Seat } from './engine/rendezvous'
import type { Report } from './engine/report'
import { together } from './engine/together'
import { isSameProcess } from './host/origins'
import { sandboxHierarchies } from './host/sandbox-hierarchies'
import { sandboxHost } from './host/sandbox-host'
import type { SandboxStats } from './host/stats'
import { checkHypervisor, type Hypervisor } from './hypervisor/hypervisor'
import { badArgument, checkList, checkText } from './model/argument'
import { type ContainerConfig, type ContainerResources, containerResources } from './model/container'
import { mergeContainerResources } from './model/merge'
import { checkParentPath } from './model/parent-path'
import { checkSandboxId } from './model/sandbox-id'
import { unappliedFields } from './model/unapplied'
import { checkPlan } from './plan/checked-plan'
import { sandboxPaths } from './plan/desired'
import type { Plan } from './plan/operations'
import { type AppliedSandbox, appliedSandboxes, signalForMany } from './sandbox-all'
import { type ListedSandbox, type ListOptions, listSandboxes, type UnreadableState } from './sandbox-list'
import type { Wanted } from './sandbox-look'
import type {
  ActOptions,
  ApplyOptions,
  AttachOptions,
  DestroyOptions,
  KillOptions,
  LoadOptions,
  SandboxOptions,
} from './sandbox-options'
import type { MergedFrom, SessionApplyOptions } from './sandbox-session'
import type { SandboxThread } from './sandbox-threads'
import { sandboxTree } from './sandbox-tree'
import { setFrozen } from './session-freezer'
import { SessionGate } from './session-gate'
import type { MergeState } from './state/state-file'

const DEFAULT_PARENT = '/kata'

/**
 * The cgroups of one VM: `<parent>/<id>` for the VMM and its helpers, `<parent>/<id>/vcpu` for its vCPU threads, which
 * are held to what the containers ask for. On cgroup v2 the first is the root of its threads and the second is
 * threaded. Kata: virtcontainers/cgroups.go.
 *
 * Every acting method may be called twice, waits for the one before it, and works under a lock that other objects and
 * processes respect. All of them reject with `ERR_VMCG_CLOSED` after `close()`, with `ERR_VMCG_DESTROYED` once the
 * sandbox has been destroyed (but `destroy()` itself), with `ERR_VMCG_BUSY` when another process keeps the lock, and
 * with `signal.reason` after an abort.
 */
export class Sandbox {
  readonly #gate: SessionGate
  readonly #merge: MergeState
  readonly #containers = new Map<string, ContainerResources>()
  #hypervisor: { readonly hypervisor: Hypervisor; readonly isOwn: boolean } | undefined

  private constructor(gate: SessionGate, merge: MergeState) {
    this.#gate = gate
    this.#merge = merge
  }

  /**
   * Takes up the sandbox of this id and parent, or begins a new one. No cgroup is made before `apply()`.
   *
   * @throws `ERR_VMCG_INVALID_ARGUMENT` (an option), `ERR_VMCG_INVALID_ID`, `ERR_VMCG_INVALID_PATH` (parent),
   *   `ERR_VMCG_INVALID_SPEC` (a container), `ERR_VMCG_NO_CONTROLLER`, `EROFS` (its hierarchy is mounted read-only),
   *   `ERR_VMCG_STATE`, `ERR_VMCG_BUSY`; what `apply()` refuses before it writes.
   */
  static async create(options: SandboxOptions): Promise<Sandbox> {
    checkOpenOptions(options)
    if (options.containers !== undefined) checkList('containers', options.containers)
    const id = checkSandboxId(options.id)
    const parent = checkParentPath(options.parent ?? DEFAULT_PARENT)
    const { host, tagAttribute } = await usableHost({ parent, id })
    sandboxHierarchies(host, { resources: {}, managed: [], devices: null })
    return SessionGate.open(host, { parent, id, hasLeaf: true, tagAttribute }, options, async (gate) => {
      const { unlimited = 'ignore', memoryOverheadBytes = null, unsupported = 'error' } = options
      const sandbox = new Sandbox(gate, { unlimited, memoryOverheadBytes, unsupported })
      for (const container of options.containers ?? []) sandbox.setContainer(container)
      await gate.session.plan(sandbox.#merged(), undefined, options)
      return sandbox
    })
  }

  /**
   * Takes up a sandbox that another object has left, in this process or in one that ended, however it ended. Its
   * containers are those of the last `apply()` that went through, so that the next one has nothing to do, or brings
   * back what an interrupted one has changed. The hypervisor has to be attached again before threads are placed.
   *
   * @throws `ERR_VMCG_DESTROYED` when there is none of this id and parent in the state directory;
   *   `ERR_VMCG_INVALID_ID`, `ERR_VMCG_INVALID_PATH` (parent), `ERR_VMCG_STATE`, `ERR_VMCG_BUSY`.
   */
  static async load(id: string, options: LoadOptions = {}): Promise<Sandbox> {
    checkOpenOptions(options)
    const parent = checkParentPath(options.parent ?? DEFAULT_PARENT)
    const key = { parent, id: checkSandboxId(id), hasLeaf: true }
    const { host } = await usableHost(key)
    return SessionGate.open(host, key, { ...options, mustExist: true }, async (gate) => {
      const { merge, containers } = gate.session.state
      const { unlimited = merge.unlimited, memoryOverheadBytes = merge.memoryOverheadBytes } = options
      const { unsupported = merge.unsupported } = options
      const sandbox = new Sandbox(gate, { unlimited, memoryOverheadBytes, unsupported })
      for (const { id: name, resources } of containers) {
        sandbox.setContainer({ id: name, spec: resources === null ? {} : { linux: { resources } } })
      }
      return sandbox
    })
  }

  /**
   * All sandboxes with a state in the directory, sorted by parent and id, whoever made them. Writes nothing and takes
   * no lock. A file that cannot be read comes last, as `{ error }`: it hides no other, and may be some sandbox's.
   *
   * @throws `ERR_VMCG_STATE` for a state directory that others could write to.
   */
  static async list(options: ListOptions = {}): Promise<readonly (ListedSandbox | UnreadableState)[]> {
    checkOpenOptions(options)
    return listSandboxes(options)
  }

  /**
   * `apply()` for many: asks their hypervisors first, 32 at a time, then moves the threads of all in one burst, so that
   * the kernel makes all of them wait for one grace period, not each. A sandbox that fails fails alone, and one whose
   * hypervisor or lock keeps it waiting does not hold up the others. The event loop goes on meanwhile.
   *
   * @returns one entry for each of the list, in its order: `{ sandbox, report }`, or `{ sandbox, error }` with what
   *   `apply()` would have thrown. One that is in the list twice is applied once.
   * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no list of sandboxes; `signal.reason` when an abort has kept one of
   *   them from being applied, once those that were at work have ended: each is applied or left as `apply()` leaves it.
   */
  static async applyAll(
    sandboxes: readonly Sandbox[],
    options: ActOptions = {},
  ): Promise<readonly AppliedSandbox[]> {
    checkActOptions(options)
    checkList('sandboxes', sandboxes)
    for (const [index, sandbox] of sandboxes.entries()) {
      if (!(#gate in Object(sandbox))) throw badArgument(`sandboxes[${index}]`, 'a Sandbox', sandbox)
    }
    options.signal?.throwIfAborted()
    const signal = signalForMany(options.signal)
    const ended = await together(new Set(sandboxes), (sandbox, seat) => sandbox.#apply({ signal }, seat))
    return appliedSandboxes(sandboxes, ended, signal)
  }

  get id(): string {
    return this.#gate.session.state.id
  }

  /** Paths below the mount point of each hierarchy. */
  get paths(): { readonly parent: string; readonly sandbox: string; readonly vcpu: string } {
    return this.#gate.session.paths
  }

  /**
   * Adds a container, or replaces the one of the same id. In memory only: `apply()` carries it out.
   *
   * @throws `ERR_VMCG_INVALID_SPEC` naming the container and the JSON path.
   */
  setContainer(container: ContainerConfig): void {
    this.#gate.refuseClosed()
    const read = containerResources(container)
    if (read.warning !== undefined) this.#warn(read.warning, read.id)
    const unapplied = unappliedFields(read.resources, this.#merge.memoryOverheadBytes !== null)
    if (unapplied.length > 0)
      this.#warn(`not applied by this version of vmcg: ${unapplied.join(', ')}`, read.id)
    this.#containers.set(read.id, read)
  }

  /** Forgets a container; unknown ids are ignored. In memory only: `apply()` lifts or lowers what it asked for. */
  removeContainer(id: string): void {
    this.#gate.refuseClosed()
    checkText("a container's id", id)
    this.#containers.delete(id)
  }

  /**
   * Says which VM this sandbox holds. Its threads are placed by the next `apply()` or `refresh()`. The VMM that was
   * attached before is forgotten. The sandbox owns the connection from then on, unless `own` is false. The kernel's own
   * threads that work for the VMM (`kvm-pit/<pid>`, `vhost-<pid>`) are placed with it.
   *
   * @throws `ERR_VMCG_VM_GONE` when the VMM has ended.
   */
  attach(hypervisor: Hypervisor, options: AttachOptions = {}): Promise<void> {
    return this.#gate.act(options, async () => {
      checkHypervisor(hypervisor)
      await this.#gate.session.remember(hypervisor.pid(), 'vmm')
      await this.#gate.session.rememberKernelThreads(options)
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
    return this.#gate.act(options, async () => {
      const { session } = this.#gate
      const isKnown = session.state.processes.some((known) => known.pid === pid && isSameProcess(known))
      await session.remember(pid, 'helper')
      if (session.state.applied === null) return undefined
      return this.#settleApplied(options).catch(async (error) => {
        await session.keepOut(isKnown ? [] : [pid], error)
        throw error
      })
    })
  }

  /** What `apply()` would do now. Writes nothing. @throws what planning throws, as `apply()` */
  plan(options: ActOptions = {}): Promise<Plan> {
    return this.#gate.look(options, () =>
      this.#gate.session.plan(this.#merged(), this.#hypervisor?.hypervisor, options),
    )
  }

  /**
   * Makes the cgroups, sets the limits that the containers ask for, places every thread, and looks until nothing is
   * amiss. Writes nothing where everything is as it should be.
   *
   * @throws before anything is written: `ERR_VMCG_OUT_OF_RANGE` (CPUs that the parent does not have, a quota that the
   *   kernel cannot take), `ERR_VMCG_NO_CONTROLLER`, `ERR_VMCG_UNSUPPORTED` (this host has nothing for a field, see
   *   `unsupported`), `ERR_VMCG_FOREIGN_CGROUP` (its cgroups exist and are somebody else's), `ERR_VMCG_PLAN_STALE`,
   *   `ERR_VMCG_VM_GONE`, `ERR_VMCG_QMP_…`; on v2 `ERR_VMCG_CGROUP_TYPE` (a cgroup above it is threaded, or one in its
   *   place is) and `ERR_VMCG_INTERNAL_PROCESSES` (one above it holds processes, and can hand no controllers down).
   *   The kernel's error (`EINVAL`, `EACCES`, ...) when a knob or directory operation fails: the limits written before
   *   it are taken back, and `error.report` tells what stands. `ERR_VMCG_VERIFY` when the kernel keeps something else;
   *   `ERR_VMCG_TIMEOUT` for what it is busy with beyond `writeTimeoutMs`.
   */
  apply(options: ApplyOptions = {}): Promise<Report> {
    return this.#apply(options)
  }

  #apply(options: ApplyOptions, seat?: Seat): Promise<Report> {
    return this.#gate.act(options, async () => {
      if (options.plan !== undefined) checkPlan(options.plan)
      const containers = [...this.#containers.values()].map(({ id, resources }) => ({
        id,
        resources: resources ?? null,
      }))
      return this.#settle(this.#merged(), { containers, merge: this.#merge }, { ...options, seat })
    })
  }

  /**
   * As `apply()`, but with the limits of the last one: finds threads that are new (a hot-plugged vCPU), places them,
   * and lets the weight of `vcpu` follow the number of vCPUs. Containers that were changed since are not looked at.
   *
   * @throws as `apply()`; `ERR_VMCG_NOT_ATTACHED` while the sandbox holds a VMM that this object cannot ask.
   */
  refresh(options: ActOptions = {}): Promise<Report> {
    return this.#gate.act(options, () => {
      if (this.#hypervisor === undefined) this.#gate.session.refuseUnasked()
      return this.#settleApplied(options)
    })
  }

  /** CPU time and throttling of each role, in microseconds, and the quota in force. */
  async stats(options: ActOptions = {}): Promise<SandboxStats> {
    this.#gate.refuseClosed()
    checkActOptions(options)
    return this.#gate.session.stats(options)
  }

  /** Every thread of the VMM and its helpers, with its role and where it is. */
  async threads(options: ActOptions = {}): Promise<readonly SandboxThread[]> {
    this.#gate.refuseClosed()
    checkActOptions(options)
    return this.#gate.session.threads(this.#hypervisor?.hypervisor, options)
  }

  /**
   * Stops every thread of the VMM and its helpers, and waits until they have stopped. On v1 this takes a cgroup more,
   * in the freezer, which is made when it is first needed.
   *
   * @throws `ENOENT` before the first `apply()`; `ERR_VMCG_NO_CONTROLLER` without a freezer; `ERR_VMCG_BUSY` for what
   *   does not stop, which runs on then; on v1, the first time, what `refresh()` throws.
   */
  freeze(options: ActOptions = {}): Promise<void> {
    return this.#gate.act(options, async () => {
      const { session } = this.#gate
      if (session.state.applied !== null && !session.isFreezable) {
        if (this.#hypervisor === undefined) session.refuseUnasked()
        await session.rememberFreezer()
        await this.#settleApplied(options)
      }
      await setFrozen(session, true, options)
    })
  }

  /** Lets everybody go on; does no harm where nobody was frozen. @throws as `freeze()` */
  thaw(options: ActOptions = {}): Promise<void> {
    return this.#gate.act(options, async () => {
      const { session } = this.#gate
      if (session.isFreezable) await setFrozen(session, false, options)
    })
  }

  /**
   * Kills the VMM and its helpers, also frozen ones, and waits until nobody is left. The cgroups stay. On v2 the kernel
   * kills them all at once (since Linux 5.14).
   *
   * @param options `killSignal`: any other than SIGKILL is sent once, and nothing is waited for.
   * @throws `ERR_VMCG_BUSY` when this very process is inside, and for what does not end.
   */
  kill(options: KillOptions = {}): Promise<void> {
    return this.#gate.act(options, () => this.#gate.session.kill(options))
  }

  /**
   * Takes the sandbox's cgroups away: the living go back to where they came from (or are killed), the directories go
   * from the leaf up, the parent stays. Also for a sandbox that is gone already. On v2 processes go back as a whole.
   *
   * @throws `ERR_VMCG_BUSY` when something in the sandbox does not leave, and on v2, where the parent takes no
   *   processes, for those of which nobody knows where they were; `ERR_VMCG_FOREIGN_CGROUP`.
   */
  destroy(options: DestroyOptions = {}): Promise<DestroyReport> {
    return this.#gate.destroy(options)
  }

  /** Releases descriptors and the hypervisor's connection. The limits stay in force, and the state stays on disk. */
  close(): Promise<void> {
    return this.#gate.close(async () => {
      if (this.#hypervisor?.isOwn === true) await this.#hypervisor.hypervisor.close()
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [inspect.custom](): string {
    return sandboxTree(this.#gate.session.state, this.paths, this.#gate.isOpen)
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
    const { applied, containers, merge } = this.#gate.session.state
    const wanted = { resources: applied ?? {}, devices: null, unsupported: merge.unsupported }
    return this.#settle(wanted, { containers, merge }, options)
  }

  async #settle(wanted: Wanted, from: MergedFrom, options: SessionApplyOptions): Promise<Report> {
    const hypervisor = this.#hypervisor?.hypervisor
    // A plan that was made before would not fit any more.
    if (options.plan === undefined) await this.#gate.session.rememberNewKernelThreads(options)
    return this.#gate.reported(await this.#gate.session.apply(wanted, from, hypervisor, options))
  }

  #warn(text: string, container: string): void {
    this.#gate.log.warn(
      { sandbox: this.id, container },
      `sandbox ${this.id}, container ${container}: ${text}`,
    )
  }
}

/** Where nothing was given to this user all of the host is tried, so that the kernel says where it refuses. */
async function usableHost(where: { readonly parent: string; readonly id: string }) {
  const { host, wholeHost, isPowerless, tagAttribute } = await sandboxHost(sandboxPaths(where).sandbox)
  return { host: isPowerless ? wholeHost : host, tagAttribute }
}
