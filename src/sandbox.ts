import { inspect } from 'node:util'
import { checkActOptions, checkOpenOptions } from './checked-options'
import { type DrivenPlace, sandboxPlace } from './driver'
import type { DestroyReport } from './engine/drain'
import type { Report } from './engine/report'
import type { VmProcess } from './engine/vm-process'
import { sandboxHierarchies } from './host/sandbox-hierarchies'
import { sandboxHost } from './host/sandbox-host'
import type { StatsGroup } from './host/stats-groups'
import type { Hypervisor } from './hypervisor/hypervisor'
import { monitorSocket } from './hypervisor/qemu-monitor'
import type { LaunchOptions } from './launch-options'
import { ManagedVm } from './managed-vm'
import { badArgument, checkList } from './model/argument'
import type { ContainerConfig } from './model/container'
import { sandboxPaths } from './plan/desired'
import type { Plan } from './plan/operations'
import { type AppliedSandbox, applyTogether } from './sandbox-all'
import { type ListedSandbox, type ListOptions, listSandboxes, type UnreadableState } from './sandbox-list'
import type {
  ActOptions,
  ApplyOptions,
  AttachOptions,
  DestroyOptions,
  KillOptions,
  LoadOptions,
  SandboxOptions,
} from './sandbox-options'
import {
  checkStatsOptions,
  type ReadSandbox,
  readSandboxes,
  type StatsOf,
  type StatsOptions,
  type StatsSubject,
} from './sandbox-stats'
import type { SandboxThread } from './sandbox-threads'
import { sandboxTree } from './sandbox-tree'
import { kill } from './session-leaving'

/**
 * The cgroups of one VM: `<parent>/<id>` for the VMM and its helpers, `<parent>/<id>/vcpu` for its vCPU threads, which
 * are held to what the containers ask for. On cgroup v2 the first is the root of its threads and the second is
 * threaded. Kata: virtcontainers/cgroups.go.
 * With systemd the first is `<slice>/<prefix>-<id>.scope/vm`, in a scope that begins when a VMM is launched or attached,
 * and ends with it.
 *
 * Every acting method may be called twice, waits for the one before it, and works under a lock that other objects and
 * processes respect. All of them reject with `ERR_VMCG_CLOSED` after `close()`, with `ERR_VMCG_DESTROYED` once the
 * sandbox has been destroyed (but `destroy()` itself), with `ERR_VMCG_BUSY` when another process keeps the lock, and
 * with `signal.reason` after an abort.
 */
export class Sandbox {
  readonly #vm: ManagedVm

  private constructor(vm: ManagedVm) {
    this.#vm = vm
  }

  /**
   * Takes up the sandbox of this id and parent, or begins a new one. No cgroup is made before `apply()`.
   *
   * @throws `ERR_VMCG_INVALID_ARGUMENT` (an option), `ERR_VMCG_INVALID_ID`, `ERR_VMCG_INVALID_PATH` (parent),
   *   `ERR_VMCG_INVALID_SPEC` (a container), `ERR_VMCG_NO_CONTROLLER`, `EROFS` (its hierarchy is mounted read-only),
   *   `ERR_VMCG_STATE`, `ERR_VMCG_BUSY`; `ERR_VMCG_SYSTEMD_MISSING` for a slice on a host that systemd does not run; what
   *   `apply()` refuses before it writes.
   */
  static async create(options: SandboxOptions): Promise<Sandbox> {
    checkOpenOptions(options)
    if (options.containers !== undefined) checkList('containers', options.containers)
    const place = sandboxPlace(options)
    const { host, tagAttribute } = await usableHost(place)
    sandboxHierarchies(host, { resources: {}, managed: [], devices: null })
    const key = { ...place, hasLeaf: true, tagAttribute }
    return ManagedVm.open(host, key, options, options.containers ?? [], (vm) => new Sandbox(vm))
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
    const place = sandboxPlace({ ...options, id })
    const { host } = await usableHost(place)
    const key = { ...place, hasLeaf: true }
    return ManagedVm.open(host, key, { ...options, mustExist: true }, undefined, (vm) => new Sandbox(vm))
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
    Sandbox.#checkAll(sandboxes)
    return applyTogether(sandboxes, options, (sandbox, its, seat) => sandbox.#vm.apply(its, seat))
  }

  /**
   * `stats()` for many: read on a thread of their own, by descriptors that stay open from one call to the next as far as
   * the limit of this process allows (a warning tells where it does not), and are closed a minute after the last call.
   *
   * @param options `timeoutMs` is for all of them together.
   * @returns one entry for each of the list, in its order: `{ sandbox, stats }`, or `{ sandbox, error }` with what
   *   `stats()` would have thrown: `ERR_VMCG_CLOSED`, `ERR_VMCG_TIMEOUT` for those that were not read in time, the
   *   kernel's error.
   * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no list of sandboxes, and for an option; `signal.reason`.
   */
  static async statsAll<Group extends StatsGroup = StatsGroup>(
    sandboxes: readonly Sandbox[],
    options: StatsOptions<Group> = {},
  ): Promise<readonly ReadSandbox<Group>[]> {
    checkStatsOptions(options)
    Sandbox.#checkAll(sandboxes)
    return readSandboxes(
      sandboxes.map((sandbox) => sandbox.#statsSubject),
      options,
    )
  }

  static #checkAll(sandboxes: readonly Sandbox[]): void {
    checkList('sandboxes', sandboxes)
    for (const [index, sandbox] of sandboxes.entries()) {
      if (!(#vm in Object(sandbox))) throw badArgument(`sandboxes[${index}]`, 'a Sandbox', sandbox)
    }
  }

  get id(): string {
    return this.#vm.gate.session.state.id
  }

  /** Paths below the mount point of each hierarchy. */
  get paths(): { readonly parent: string; readonly sandbox: string; readonly vcpu: string } {
    return this.#vm.gate.session.paths
  }

  /**
   * The QMP socket of a QEMU that `launch()` has started, for `QemuHypervisor.connect()` after a restart. There is one as
   * long as that QEMU runs.
   */
  get monitorSocket(): string {
    return monitorSocket(this.#vm.gate.session.socketDirectory)
  }

  /**
   * Adds a container, or replaces the one of the same id. In memory only: `apply()` carries it out.
   *
   * @throws `ERR_VMCG_INVALID_SPEC` naming the container and the JSON path.
   */
  setContainer(container: ContainerConfig): void {
    this.#vm.setContainer(container)
  }

  /** Forgets a container; unknown ids are ignored. In memory only: `apply()` lifts or lowers what it asked for. */
  removeContainer(id: string): void {
    this.#vm.removeContainer(id)
  }

  /**
   * Says which VM this sandbox holds. Its threads are placed by the next `apply()` or `refresh()`. The VMM that was
   * attached before is forgotten. The sandbox owns the connection from then on, unless `own` is false. The kernel's own
   * threads that work for the VMM (`kvm-pit/<pid>`, `vhost-<pid>`) are placed with it.
   *
   * With systemd its scope is started around it, and systemd is heard of in `ERR_VMCG_SYSTEMD_…` and `ERR_VMCG_DBUS_…`.
   *
   * @throws `ERR_VMCG_VM_GONE` when the VMM has ended; `ERR_VMCG_FOREIGN_UNIT` for a unit of that name that is not ours.
   */
  attach(hypervisor: Hypervisor, options: AttachOptions = {}): Promise<void> {
    return this.#vm.attach(hypervisor, options)
  }

  /** What is attached: after the launch of a QEMU its `QemuHypervisor`, for commands of your own. */
  get hypervisor(): Hypervisor | undefined {
    return this.#vm.hypervisor
  }

  /**
   * Applies, as `apply()`, and starts a VMM inside of the sandbox: it is there from its first instruction on, no thread
   * of it has to be moved, and all of its memory is charged there. A QEMU is started with `-S` and a monitor of ours, and
   * is attached; its vCPUs are placed before they run, unless `args` hold `-S` it is let run, and it is looked at once
   * more 200 ms later. Any other VMM is to be attached, and its vCPUs placed by `refresh()`.
   *
   * When it fails the process is killed and forgotten; the cgroups and limits stay, as after `kill()`.
   *
   * @param file a path, or a name to look up in the PATH of `env`.
   * @throws before anything is written: `ERR_VMCG_INVALID_ARGUMENT` naming the option, `ERR_VMCG_ALREADY_RUNNING`, what
   *   `apply()` refuses. Then what `apply()` throws; `ERR_VMCG_BUSY` for a sandbox that is frozen; SpawnError
   *   `ERR_VMCG_SPAWN` with the `step`, `errno` and `path` that failed; `ERR_VMCG_TIMEOUT`; for a QEMU `ERR_VMCG_VM_GONE`
   *   with its own words when it ends by itself, and `ERR_VMCG_QMP_…`.
   */
  async launch(file: string, args: readonly string[] = [], options: LaunchOptions = {}): Promise<VmProcess> {
    return this.#vm.launch(file, args, options)
  }

  /**
   * Says that a process (virtiofsd, swtpm) serves this VM: all of its threads belong into `<parent>/<id>`. It is moved
   * at once where the sandbox has been applied, and by the first `apply()` otherwise.
   *
   * @throws `ERR_VMCG_VM_GONE` when there is no such process; what `refresh()` throws.
   */
  add(pid: number, options: ActOptions = {}): Promise<Report | undefined> {
    return this.#vm.add(pid, options)
  }

  /** What `apply()` would do now. Writes nothing. @throws what planning throws, as `apply()` */
  plan(options: ActOptions = {}): Promise<Plan> {
    return this.#vm.plan(options)
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
   *   `ERR_VMCG_TIMEOUT` for what it is busy with beyond `writeTimeoutMs`. With systemd `ERR_VMCG_NOT_ATTACHED` before the
   *   first VMM, and `ERR_VMCG_VM_GONE` once the scope has ended with the last one.
   */
  apply(options: ApplyOptions = {}): Promise<Report> {
    return this.#vm.apply(options)
  }

  /**
   * As `apply()`, but with the limits of the last one: finds threads that are new (a hot-plugged vCPU), places them,
   * and lets the weight of `vcpu` follow the number of vCPUs. Containers that were changed since are not looked at.
   *
   * @throws as `apply()`; `ERR_VMCG_NOT_ATTACHED` while the sandbox holds a VMM that this object cannot ask.
   */
  refresh(options: ActOptions = {}): Promise<Report> {
    return this.#vm.refresh(options)
  }

  /**
   * What the sandbox uses: CPU time and throttling of each role, the quota in force, how many threads each role has, and
   * the figures of every controller that it is in. Times are microseconds and sizes bytes, on every version.
   *
   * @throws `ERR_VMCG_TIMEOUT`; the kernel's error for a file that cannot be read; `ERR_VMCG_INVALID_ARGUMENT`.
   */
  async stats<Group extends StatsGroup = StatsGroup>(
    options: StatsOptions<Group> = {},
  ): Promise<StatsOf<Group>> {
    this.#vm.gate.refuseClosed()
    checkStatsOptions(options)
    const [read] = await readSandboxes([this.#statsSubject], options)
    if (read?.stats === undefined) throw read?.error
    return read.stats
  }

  /** Every thread of the VMM and its helpers, with its role and where it is. */
  async threads(options: ActOptions = {}): Promise<readonly SandboxThread[]> {
    this.#vm.gate.refuseClosed()
    checkActOptions(options)
    return this.#vm.threads(options)
  }

  /**
   * Stops every thread of the VMM and its helpers, and waits until they have stopped. On v1 this takes a cgroup more,
   * in the freezer, which is made when it is first needed.
   *
   * @throws `ENOENT` before the first `apply()`; `ERR_VMCG_NO_CONTROLLER` without a freezer; `ERR_VMCG_BUSY` for what
   *   does not stop, which runs on then; on v1, the first time, what `refresh()` throws.
   */
  freeze(options: ActOptions = {}): Promise<void> {
    return this.#vm.freeze(options)
  }

  /** Lets everybody go on; does no harm where nobody was frozen. @throws as `freeze()` */
  thaw(options: ActOptions = {}): Promise<void> {
    return this.#vm.thaw(options)
  }

  /**
   * Kills the VMM and its helpers, also frozen ones, and waits until nobody is left. The cgroups stay. On v2 the kernel
   * kills them all at once (since Linux 5.14).
   *
   * @param options `killSignal`: any other than SIGKILL is sent once, and nothing is waited for.
   * @throws `ERR_VMCG_BUSY` when this very process is inside, and for what does not end.
   */
  kill(options: KillOptions = {}): Promise<void> {
    return this.#vm.gate.act(options, () => kill(this.#vm.gate.session, options))
  }

  /**
   * Takes the sandbox's cgroups away: the living go back to where they came from (or are killed), the directories go
   * from the leaf up, the parent stays. Also for a sandbox that is gone already. On v2 processes go back as a whole.
   *
   * @throws `ERR_VMCG_BUSY` when something in the sandbox does not leave, and on v2, where the parent takes no
   *   processes, for those of which nobody knows where they were; `ERR_VMCG_FOREIGN_CGROUP`.
   */
  destroy(options: DestroyOptions = {}): Promise<DestroyReport> {
    return this.#vm.gate.destroy(options)
  }

  /** Releases descriptors and the hypervisor's connection. The limits stay in force, and the state stays on disk. */
  close(): Promise<void> {
    return this.#vm.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [inspect.custom](): string {
    return sandboxTree(this.#vm.gate.session.state, this.paths, this.#vm.gate.isOpen)
  }

  get #statsSubject(): StatsSubject {
    return {
      sandbox: this,
      log: this.#vm.gate.log,
      meter: () => {
        this.#vm.gate.refuseClosed()
        return this.#vm.gate.session.meter
      },
    }
  }
}

/** Where nothing was given to this user all of the host is tried, so that the kernel says where it refuses. */
async function usableHost(where: DrivenPlace) {
  const { host, wholeHost, isPowerless, tagAttribute } = await sandboxHost(sandboxPaths(where).sandbox)
  return { host: isPowerless ? wholeHost : host, tagAttribute }
}
