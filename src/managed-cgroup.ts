import { nothingDone, type Report } from './engine/report'
import { VmcgError } from './errors'
import type { Host } from './host/detect'
import { isSameProcess } from './host/origins'
import { sandboxHost } from './host/sandbox-host'
import { managedDevices, refuseIdleRemoval } from './manager-devices'
import type { CgroupManagerConfig } from './manager-options'
import type { ManagedPlace } from './manager-taken-over'
import { checkId, checkList } from './model/argument'
import type { DeviceSet } from './model/device-rule'
import type { DeviceUse } from './model/devices/device-use'
import type { LinuxResources } from './model/generated/oci'
import { resourceWrites } from './model/resources/resource-writes'
import { parentPath } from './plan/observed'
import { nothingToDo, type Plan } from './plan/operations'
import { isThreadGranular } from './plan/own-cgroups'
import { resourcesOn, versionsIn } from './plan/versions'
import type { Wanted } from './sandbox-look'
import type { ActOptions, ApplyOptions } from './sandbox-options'
import type { SandboxSession } from './sandbox-session'
import { goesOn } from './session-errors'
import { type GateKey, SessionGate } from './session-gate'
import { keepOut } from './session-leaving'
import { hasScope, joinScope, resumeScope, startScope } from './session-scope'

/** What a `CgroupManager` stands on: the session of a cgroup without a leaf, and the rules for its devices. */
export class ManagedCgroup {
  readonly gate: SessionGate
  readonly #config: CgroupManagerConfig
  /** Without root's rights, and without a cgroup that was given to this user: nothing can be limited, or goes wrong. */
  readonly #isPowerless: boolean
  /** With what was not given to this user. */
  readonly #wholeHost: Host

  private constructor(gate: SessionGate, config: CgroupManagerConfig, isPowerless: boolean, wholeHost: Host) {
    this.gate = gate
    this.#config = config
    this.#isPowerless = isPowerless
    this.#wholeHost = wholeHost
  }

  /**
   * @param mustExist only takes up what is there. That may have become impossible since (a CPU that has gone), and can
   *   still be changed or destroyed, so nothing is planned for it.
   * @param begin makes the object that stands on it, and says which resources it begins with.
   * @throws as `CgroupManager.create()` and `restore()`.
   */
  static async open<T extends { readonly config: { readonly resources: LinuxResources } }>(
    { path, takenOver, driven }: ManagedPlace,
    config: CgroupManagerConfig,
    mustExist: boolean,
    begin: (cgroup: ManagedCgroup) => T,
  ): Promise<T> {
    const { host, wholeHost, isPowerless, tagAttribute } = await sandboxHost(path)
    const where = driven ?? {
      driver: 'cgroupfs',
      parent: parentPath(path),
      id: path.slice(path.lastIndexOf('/') + 1),
    }
    const key: GateKey = {
      ...where,
      hasLeaf: false,
      tagAttribute,
      takenOver,
    }
    return SessionGate.open(host, key, { ...config, mustExist }, async (gate) => {
      const cgroup = new ManagedCgroup(gate, config, isPowerless, wholeHost)
      const begun = begin(cgroup)
      if (isPowerless)
        gate.log.debug({ path }, 'rootless, and no cgroup was given to this user: nothing is limited')
      if (!mustExist) {
        await resumeScope(gate.session, config)
        await cgroup.plan(begun.config.resources, config)
      }
      return begun
    })
  }

  /** The resources of the last `apply()` that went through, whichever object made it. */
  get applied(): LinuxResources {
    return this.gate.session.state.applied ?? {}
  }

  async plan(resources: LinuxResources, options: ActOptions): Promise<Plan> {
    if (this.#isPowerless) {
      this.#refuseInvalid(resources)
      return nothingToDo(this.gate.session.state.id)
    }
    return this.gate.session.plan(this.#wanted(resources), undefined, options)
  }

  async settle(resources: LinuxResources, options: ApplyOptions): Promise<Report> {
    if (this.#isPowerless) {
      this.#refuseInvalid(resources)
      return nothingDone(this.gate.session.state.id)
    }
    const merge = { ...this.gate.session.state.merge, unsupported: this.#unsupported }
    const memory = { containers: [], merge }
    return this.gate.reported(
      await this.gate.session.apply(this.#wanted(resources), memory, undefined, options),
    )
  }

  async add(pid: number, options: ActOptions): Promise<Report> {
    checkId('a pid', pid)
    const { session } = this.gate
    if (this.#isPowerless) return nothingDone(session.state.id)
    const isKnown = session.state.processes.some((known) => known.pid === pid && isSameProcess(known))
    await session.remember(pid, 'helper')
    return this.#orRelease(isKnown ? [] : [pid], () => this.#settleWith(pid, options))
  }

  /** Has the process in the unit of systemd, if there is to be one, before it is settled. */
  async #settleWith(pid: number, options: ActOptions): Promise<Report> {
    const { session } = this.gate
    await resumeScope(session, options)
    if (await hasScope(session, options)) {
      try {
        await joinScope(session, pid, options)
        return await this.settle(this.applied, options)
      } catch (error) {
        // It has ended with the process before this one, and systemd was about to say so.
        if (await hasScope(session, options)) throw error
      }
    }
    await startScope(session, pid, options)
    return this.settle(this.applied, options)
  }

  async addThreads(tids: readonly number[], options: ActOptions): Promise<Report> {
    checkList('tids', tids)
    for (const tid of tids) checkId('a tid', tid)
    const { session } = this.gate
    if (this.#isPowerless) return nothingDone(session.state.id)
    refuseLooseThreads(session)
    const known = session.state.threads.map(({ tid }) => tid)
    await session.rememberThreads(tids)
    const added = tids.filter((tid) => !known.includes(tid))
    return this.#orRelease(added, () => this.settle(this.applied, options))
  }

  /** Who cannot be in all of the hierarchies is in none: else every call after this one would fail because of it. */
  async #orRelease(added: readonly number[], settle: () => Promise<Report>): Promise<Report> {
    try {
      return await settle()
    } catch (error) {
      await keepOut(this.gate.session, added, error)
      throw error
    }
  }

  /** Remembered first, so that whoever comes after a crash goes on; forgotten when the kernel takes it not. */
  async settleDevices(devices: readonly DeviceUse[], options: ActOptions): Promise<Report> {
    const { session } = this.gate
    const before = session.state.devices
    await session.rememberDevices(devices)
    try {
      return await this.settle(this.applied, options)
    } catch (error) {
      if (!goesOn(error)) await session.rememberDevices(before)
      throw error
    }
  }

  /** @throws `ERR_VMCG_DEVICE_IN_USE` when a rule beside these uses still allows the device. */
  refuseIdleRemoval(removed: DeviceSet, left: readonly DeviceUse[], path: string): void {
    refuseIdleRemoval(removed, this.#deviceRules(this.applied, left), path, this.#config.hypervisorDevices)
  }

  /** The device rules that resources and these uses come to; null where devices are not controlled. */
  #deviceRules(resources: LinuxResources, uses: readonly DeviceUse[]): Wanted['devices'] {
    return managedDevices(resources, uses, this.#config.hypervisorDevices, this.gate.log)
  }

  /** What nobody could apply is refused also where nothing is: it would be found out on the next host only. */
  #refuseInvalid(resources: LinuxResources): void {
    this.#wanted(resources)
    refuseInvalidOn(this.#wholeHost, resources, this.#unsupported)
  }

  #wanted(resources: LinuxResources): Wanted {
    const devices = this.#deviceRules(resources, this.gate.session.state.devices)
    return { resources, devices, unsupported: this.#unsupported }
  }

  get #unsupported(): Wanted['unsupported'] {
    return this.#config.unsupported ?? this.gate.session.state.merge.unsupported
  }
}

/**
 * Each part of resources is looked at by the rules of the version where its controllers are, and by those of the host's
 * own version where it has none.
 */
function refuseInvalidOn(host: Host, resources: LinuxResources, unsupported: Wanted['unsupported']): void {
  const versionOf = versionsIn(host.hierarchies)
  const main = versionOf('cpu') ?? (host.layout === 'v2' ? 2 : 1)
  const onUnsupported = unsupported === 'warn' ? () => undefined : undefined
  for (const version of [1, 2] as const)
    resourceWrites(resourcesOn(version, resources, versionOf, main), { version, onUnsupported })
}

/** @throws `ERR_VMCG_UNSUPPORTED` on hosts without a hierarchy of v1 that holds single threads. */
function refuseLooseThreads({ host, state }: SandboxSession): void {
  const holdsThreads = host.hierarchies.some(
    (hierarchy) => hierarchy.version === 1 && isThreadGranular(hierarchy),
  )
  if (holdsThreads || !host.hierarchies.some(({ version }) => version === 2)) return
  throw new VmcgError(
    'ERR_VMCG_UNSUPPORTED',
    `${state.id}: cgroup v2 keeps the threads of a process together, so that no single ones can be added`,
    { hint: "add(pid) takes the whole process; a Sandbox keeps a VM's vCPU threads apart from its others" },
  )
}
