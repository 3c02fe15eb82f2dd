import { inspect } from 'node:util'
import { checkOpenOptions } from './checked-options'
import type { DestroyReport } from './engine/drain'
import type { Report } from './engine/report'
import type { CgroupStats } from './host/cgroup-figures'
import { detectHost } from './host/detect'
import { deviceAt } from './host/devices'
import { ManagedCgroup } from './managed-cgroup'
import { deviceToRemove } from './manager-devices'
import {
  type CgroupManagerConfig,
  type CpusetOptions,
  checkedJson,
  type DeviceOptions,
  type ManagerJson,
} from './manager-options'
import { managedPlace, restorablePath, restoredPlace } from './manager-path'
import type { ManagedPlace } from './manager-taken-over'
import { checkObject, checkOptionalText } from './model/argument'
import { checkedResources } from './model/container'
import { deviceRule } from './model/device-rule'
import { addDeviceUse, isDeviceInUse, removeDeviceUse } from './model/devices/device-use'
import type { LinuxResources } from './model/generated/oci'
import { checkPlan } from './plan/checked-plan'
import type { Plan } from './plan/operations'
import type { ActOptions, ApplyOptions, DestroyOptions, KillOptions } from './sandbox-options'
import { setFrozen } from './session-freezer'
import type { SessionGate } from './session-gate'
import { kill, moveOut } from './session-leaving'
import { stateDirectoryOf } from './state/state-directory'

/**
 * One cgroup in every v1 hierarchy of the host, or in the one of v2, held to any OCI `linux.resources`, for the
 * processes of a VM or of anything else. On a hybrid host it is in v2 as well where something is asked of a controller
 * there. Kata: virtcontainers/pkg/cgroups/manager.go. With systemd it is in a scope that begins with the first `add()`:
 * `apply()` before that is `ERR_VMCG_NOT_ATTACHED`, and after its end `ERR_VMCG_VM_GONE`.
 *
 * Every acting method may be called twice, waits for the one before it, and works under a lock that other objects and
 * processes respect. All of them reject with `ERR_VMCG_CLOSED` after `close()`, with `ERR_VMCG_DESTROYED` once the
 * cgroup has been destroyed (but `destroy()` itself), with `ERR_VMCG_BUSY` when another process keeps the lock, and
 * with `signal.reason` after an abort.
 */
export class CgroupManager {
  readonly #cgroup: ManagedCgroup
  readonly #gate: SessionGate
  readonly #stateDir: string
  #resources: LinuxResources

  private constructor(cgroup: ManagedCgroup, config: CgroupManagerConfig) {
    this.#cgroup = cgroup
    this.#gate = cgroup.gate
    this.#stateDir = stateDirectoryOf(config.stateDir)
    this.#resources = checkedResources(config.resources === undefined ? cgroup.applied : config.resources)
  }

  /**
   * Takes up the cgroup of this path, or begins a new one. No cgroup is made before `add()` or `apply()`.
   *
   * @throws `ERR_VMCG_INVALID_PATH`; `ERR_VMCG_INVALID_ID`; `ERR_VMCG_INVALID_ARGUMENT` for another option of the wrong
   *   type; `ERR_VMCG_INVALID_SPEC` for resources of a wrong type, naming the JSON path; `ERR_VMCG_SYSTEMD_MISSING` for
   *   a systemd path where systemd does not run the host; `ERR_VMCG_NO_CONTROLLER`; `EROFS` where a hierarchy that is
   *   asked for is mounted read-only; `ERR_VMCG_STATE`; for one of `paths`, `ENOENT` where it is not there, and
   *   `ERR_VMCG_CGROUP_TYPE` for a threaded cgroup of v2 and for one with others below; `ERR_VMCG_BUSY`; what `apply()`
   *   throws before anything is written.
   */
  static async create(config: CgroupManagerConfig): Promise<CgroupManager> {
    checkOpenOptions(config, 'the config')
    return CgroupManager.#open(managedPlace(config, detectHost()), config)
  }

  /**
   * Takes up the cgroup that another object, in this process or an earlier one, has given `toJSON()` of.
   *
   * @param json that object, or its text.
   * @throws `ERR_VMCG_DESTROYED` when it is there no more; `ERR_VMCG_INVALID_ARGUMENT` for what is no such JSON.
   */
  static async restore(
    json: ManagerJson | string,
    options: Omit<CgroupManagerConfig, 'cgroupsPath' | 'id' | 'paths' | 'stateDir'> = {},
  ): Promise<CgroupManager> {
    const { path, stateDir } = checkedJson(json)
    checkOpenOptions(options)
    return CgroupManager.#open(restoredPlace(path), { ...options, stateDir }, true)
  }

  static async #open(
    place: ManagedPlace,
    config: CgroupManagerConfig,
    mustExist = false,
  ): Promise<CgroupManager> {
    const { hypervisorDevices } = config
    if (hypervisorDevices !== undefined) checkObject('hypervisorDevices', hypervisorDevices)
    return ManagedCgroup.open(place, config, mustExist, (cgroup) => new CgroupManager(cgroup, config))
  }

  /** Hierarchy id → the directory of this cgroup. */
  get paths(): Readonly<Record<string, string>> {
    const { host, state, paths } = this.#gate.session
    const claimed = host.hierarchies.filter(({ id }) => state.claimed.includes(id))
    return Object.fromEntries(claimed.map(({ id, mountPoint }) => [id, `${mountPoint}${paths.sandbox}`]))
  }

  /** The resources that `apply()` carries out. Frozen. */
  get config(): { readonly path: string; readonly resources: LinuxResources } {
    return Object.freeze({ path: this.#gate.session.paths.sandbox, resources: this.#resources })
  }

  /**
   * Puts a process into the cgroup, in every hierarchy, making what is missing. Limits stay as the last `apply()` left
   * them. With systemd the first process starts the scope, and so does one that is added after it has ended.
   *
   * @throws `ERR_VMCG_VM_GONE` when there is no such process; what `apply()` throws. A user to whom no cgroup was given
   *   gets neither: nothing is done.
   */
  add(pid: number, options: ActOptions = {}): Promise<Report> {
    return this.#gate.act(options, () => this.#cgroup.add(pid, options))
  }

  /**
   * Puts single threads into the cgroup, in the hierarchies of v1 that hold single threads: cpu, cpuacct and cpuset.
   *
   * @throws `ERR_VMCG_UNSUPPORTED` on hosts of cgroup v2, which keeps the threads of a process together;
   *   `ERR_VMCG_VM_GONE` for a thread that is not there; what `apply()` throws.
   */
  addThreads(tids: readonly number[], options: ActOptions = {}): Promise<Report> {
    return this.#gate.act(options, () => this.#cgroup.addThreads(tids, options))
  }

  /** What `apply()` would do now. Writes nothing. @throws what planning throws, as `apply()` */
  plan(resources?: LinuxResources, options: ActOptions = {}): Promise<Plan> {
    return this.#gate.look(options, async () => {
      const wanted = resources === undefined ? this.#resources : checkedResources(resources)
      return this.#cgroup.plan(wanted, options)
    })
  }

  /**
   * Makes the cgroups, sets the limits, lifts those that vmcg has set and that are asked for no more, and looks until
   * nothing is amiss. Writes nothing where everything is as it should be.
   *
   * @param resources take the place of those before, once they are in force.
   * @throws before anything is written: `ERR_VMCG_INVALID_SPEC`, `ERR_VMCG_INVALID_ARGUMENT`, `ERR_VMCG_OUT_OF_RANGE`,
   *   `ERR_VMCG_UNSUPPORTED` (this host has nothing for a field, see `unsupported`), `ERR_VMCG_NO_CONTROLLER`,
   *   `ERR_VMCG_FOREIGN_CGROUP` (it exists and is somebody else's), `ERR_VMCG_PLAN_STALE`; on v2 `ERR_VMCG_CGROUP_TYPE`
   *   (a cgroup above it, or in its place, is threaded), `ERR_VMCG_INTERNAL_PROCESSES` (one above it holds processes,
   *   and can hand no controllers down), and for device rules `ERR_VMCG_NO_CAPABILITY` and `ERR_VMCG_FOREIGN_PROGRAM`.
   *   The kernel's error when it refuses: what was written before is taken back, and `error.report` tells what stands.
   *   `ERR_VMCG_VERIFY` with both values when the kernel keeps something else; `ERR_VMCG_TIMEOUT` for what it is busy
   *   with beyond `writeTimeoutMs`; `ERR_VMCG_BUSY` for processes that do not stop for their first device rules.
   */
  apply(resources?: LinuxResources, options: ApplyOptions = {}): Promise<Report> {
    return this.#gate.act(options, async () => {
      if (options.plan !== undefined) checkPlan(options.plan)
      const wanted = resources === undefined ? this.#resources : checkedResources(resources)
      const report = await this.#cgroup.settle(wanted, options)
      this.#resources = wanted
      return report
    })
  }

  /** The processes in the cgroup, ascending. */
  async pids(options: ActOptions = {}): Promise<readonly number[]> {
    return this.#gate.look(options, () => this.#gate.session.pids(options))
  }

  /** The threads in the cgroup, ascending, in whatever hierarchy. */
  async threads(options: ActOptions = {}): Promise<readonly number[]> {
    return this.#gate.look(options, () => this.#gate.session.tids(options))
  }

  /**
   * What the cgroup uses: bytes, microseconds, counts; null where there is no limit, and for controllers that it is not
   * in: all of them before it is made.
   *
   * @throws `ENOENT` when somebody else has removed it from all hierarchies since.
   */
  stats(options: ActOptions = {}): Promise<CgroupStats> {
    return this.#gate.look(options, () => this.#gate.session.figures(options))
  }

  /**
   * Stops every thread, and waits until it is stopped.
   *
   * @throws `ERR_VMCG_NO_CONTROLLER` without a freezer; `ENOENT` before `add()` or `apply()` have made the cgroup;
   *   `ERR_VMCG_FOREIGN_CGROUP`; `ERR_VMCG_BUSY` for what does not stop, which runs on then.
   */
  freeze(options: ActOptions = {}): Promise<void> {
    return this.#gate.act(options, () => setFrozen(this.#gate.session, true, options))
  }

  /** Lets every thread go on. @throws as `freeze()`; `ERR_VMCG_BUSY` where a cgroup above holds it frozen */
  thaw(options: ActOptions = {}): Promise<void> {
    return this.#gate.act(options, () => setFrozen(this.#gate.session, false, options))
  }

  /**
   * Allows a device for opening and making nodes. Where `resources.devices` is not given everything is allowed already,
   * and the device is only remembered.
   *
   * @param path such as `/dev/vfio/12`; links are followed.
   * @throws `ERR_VMCG_INVALID_ARGUMENT` for a path that is no device; `ENOENT`; what `apply()` throws.
   */
  addDevice(path: string, options: DeviceOptions = {}): Promise<Report> {
    return this.#gate.act(options, async () => {
      checkOptionalText('owner', options.owner)
      const { session } = this.#gate
      const rule = deviceRule(deviceAt(path, options.access))
      return this.#cgroup.settleDevices(
        addDeviceUse(session.state.devices, { owner: options.owner ?? '', path, rule }),
        options,
      )
    })
  }

  /**
   * Takes a device away that was added. It stays while another owner uses it. What is open stays open; the kernel
   * refuses new opens.
   *
   * @param path as it was added; the node may be gone by now.
   * @throws `ERR_VMCG_INVALID_ARGUMENT` for a device that was not added; `ERR_VMCG_DEVICE_IN_USE` when another rule
   *   still allows it, naming that rule; what `apply()` throws.
   */
  removeDevice(path: string, options: DeviceOptions = {}): Promise<Report> {
    return this.#gate.act(options, async () => {
      checkOptionalText('owner', options.owner)
      const { session } = this.#gate
      const rule = deviceToRemove(path, options, session.state.devices)
      const left = removeDeviceUse(session.state.devices, { owner: options.owner ?? '', rule })
      if (!isDeviceInUse(left, rule)) this.#cgroup.refuseIdleRemoval(rule, left, path)
      return this.#cgroup.settleDevices(left, options)
    })
  }

  /**
   * Changes the CPUs and memory nodes, at once and for each `apply()` after it. Other limits stay as the last `apply()`
   * left them, whichever object made that.
   *
   * @throws as `apply()`
   */
  async setCpuset(lists: CpusetOptions, options: ActOptions = {}): Promise<Report> {
    checkObject('the lists of a cpuset', lists)
    const { cpus, mems } = lists
    const given = { ...(cpus !== undefined && { cpus }), ...(mems !== undefined && { mems }) }
    const withLists = (resources: LinuxResources): LinuxResources =>
      checkedResources({ ...resources, cpu: { ...resources.cpu, ...given } })
    return this.#gate.act(options, async () => {
      const report = await this.#cgroup.settle(withLists(this.#cgroup.applied), options)
      this.#resources = withLists(this.#resources)
      return report
    })
  }

  /**
   * Gives every process back to where it came from, or where that is not known to the parent, which on v2 may take
   * none. The dead are skipped, the rest goes on, until the cgroup is empty. It stays, with its limits.
   *
   * @throws as `destroy()`
   */
  moveToParent(options: ActOptions = {}): Promise<DestroyReport> {
    return this.#gate.act(options, () => moveOut(this.#gate.session, options))
  }

  /**
   * Kills every process in the cgroup, also frozen ones, and waits until it is empty. On v2 the kernel kills them all
   * at once (since Linux 5.14).
   *
   * @param options `killSignal`: any other than SIGKILL is sent once, and nothing is waited for.
   * @throws `ERR_VMCG_BUSY` when this very process is inside, and for what does not end.
   */
  kill(options: KillOptions = {}): Promise<void> {
    return this.#gate.act(options, () => kill(this.#gate.session, options))
  }

  /**
   * Takes the cgroup away in every hierarchy, also where it was taken over by `paths`; living processes go back to
   * where they came from, or are killed. Also for a cgroup that is gone already.
   *
   * @throws `ERR_VMCG_BUSY` when something does not leave, and on v2, where the parent may take nobody, for processes
   *   of which nobody knows where they were; `ERR_VMCG_FOREIGN_CGROUP`.
   */
  destroy(options: DestroyOptions = {}): Promise<DestroyReport> {
    return this.#gate.destroy(options)
  }

  /** Releases the descriptors. The limits stay in force, and the state stays on disk. */
  close(): Promise<void> {
    return this.#gate.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What `restore()` needs. */
  toJSON(): ManagerJson {
    return { version: 1, path: restorablePath(this.#gate.session.state), stateDir: this.#stateDir }
  }

  [inspect.custom](): string {
    const { path } = this.config
    return `CgroupManager ${path} in ${Object.keys(this.paths).join(' ') || 'no hierarchy yet'}`
  }
}
