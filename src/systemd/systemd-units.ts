import { VmcgError } from '../errors'
import { badArgument, checkId, checkList, checkObject, checkSignal, checkText } from '../model/argument'
import { type BusAddress, type SystemdInstance, systemdAddresses } from './bus-address'
import { MANAGER } from './manager-connection'
import { ManagerLink } from './manager-link'
import { limitProperties, type ScopeRequest, type UnitLimits } from './scope-properties'
import { type StartedScope, startScope } from './start-scope'
import { stopUnit } from './stop-unit'
import { TimeLimit } from './time-limit'
import { askAgain, lookAtUnit } from './unit-job'
import type { UnitState } from './unit-state'

export interface SystemdCallOptions {
  /** Rejects with `signal.reason`. A start that has not begun by then is taken back. */
  readonly signal?: AbortSignal | undefined
}

export interface SystemdUnitsOptions extends SystemdCallOptions {
  /** Whose systemd; default: that of the system for root, else that of the user. */
  readonly instance?: SystemdInstance | undefined
  /** Where to reach it, in the order to try, in place of where the environment and the conventions say. */
  readonly addresses?: readonly BusAddress[] | undefined
  /** How long each method may take as a whole, in milliseconds, 1 to 2147483647. Default 30000. */
  readonly timeoutMs?: number | undefined
  /** Default `'/proc'`. */
  readonly procRoot?: string | undefined
}

const TIMEOUT_MS = 30_000
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/**
 * The units of one systemd. All that are open on the same systemd share one connection, which does not keep the
 * process alive, is made again when it is lost, and ends with the last `close()`.
 *
 * Every method can throw, beside what it says itself: SystemdError `ERR_VMCG_DBUS_NO_SOCKET`, `ERR_VMCG_DBUS_REFUSED`,
 * `ERR_VMCG_DBUS_LIMIT`, `ERR_VMCG_DBUS_CLOSED`, `ERR_VMCG_DBUS_TIMEOUT` about the bus; `ERR_VMCG_SYSTEMD_MISSING` for
 * a bus without systemd; `ERR_VMCG_SYSTEMD_DENIED`; BusReplyError `ERR_VMCG_DBUS_CALL` for any other refusal;
 * `ERR_VMCG_CLOSED` after `close()`; `signal.reason` when aborted.
 *
 * Source: org.freedesktop.systemd1(5); systemd, docs/CONTROL_GROUP_INTERFACE.md.
 */
export class SystemdUnits {
  readonly #link: ManagerLink
  readonly #timeoutMs: number
  readonly #procRoot: string | undefined
  #isClosed = false

  private constructor(link: ManagerLink, timeoutMs: number, procRoot: string | undefined) {
    this.#link = link
    this.#timeoutMs = timeoutMs
    this.#procRoot = procRoot
  }

  /**
   * Connects, so that a systemd that cannot be reached is known at once.
   *
   * @throws `ERR_VMCG_INVALID_ARGUMENT`; SystemdError as above.
   */
  static async open(options: SystemdUnitsOptions = {}): Promise<SystemdUnits> {
    checkObject('options', options)
    checkSignal(options.signal)
    const uid = process.geteuid?.() ?? 0
    const instance = options.instance ?? (uid === 0 ? 'system' : 'user')
    const addresses = options.addresses ?? systemdAddresses(instance, process.env, uid)
    const timeoutMs = checkTimeout(options.timeoutMs ?? TIMEOUT_MS)
    const units = new SystemdUnits(ManagerLink.take(addresses), timeoutMs, options.procRoot)
    try {
      await units.#within(options, (limit) => units.#link.connection(limit))
      return units
    } catch (error) {
      units.close()
      throw error
    }
  }

  /** systemd's version as it tells it, such as `'252.39-1~deb12u1'`. */
  version(options: SystemdCallOptions = {}): Promise<string> {
    const call = {
      ...MANAGER,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      args: [MANAGER.interface, 'Version'],
      about: 'the version of systemd',
    }
    return this.#within(options, async (limit) =>
      String(await askAgain(this.#link, limit, ({ bus }) => bus.call(call, limit))),
    )
  }

  /** What systemd says of a unit; undefined when it knows none of that name. */
  look(unit: string, options: SystemdCallOptions = {}): Promise<UnitState | undefined> {
    checkText('unit', unit)
    return this.#within(options, (limit) => lookAtUnit(this.#link, unit, limit))
  }

  /**
   * Starts a transient scope with these processes in it, and returns when they are there by the kernel's account. A
   * scope that is there already is taken up if it is the one that is meant: the invocation of `invocationId`, or one
   * with the same description that has failed, or holds all of the processes. Safe to call twice.
   *
   * When the time is over the job is canceled; a process that did get into the scope stays there.
   *
   * @throws `ERR_VMCG_INVALID_ARGUMENT`; `ERR_VMCG_FOREIGN_UNIT` for a unit of that name that is not ours, which is left
   *   alone; `ERR_VMCG_VM_GONE` when a process has ended; UnitJobError `ERR_VMCG_SYSTEMD_JOB` with systemd's result;
   *   `ERR_VMCG_SYSTEMD_JOB_TIMEOUT`; `ERR_VMCG_VERIFY` when a process is elsewhere although systemd is content.
   */
  startScope(request: ScopeRequest, options: SystemdCallOptions = {}): Promise<StartedScope> {
    checkRequest(request)
    return this.#within(options, (limit) => startScope(this.#link, request, limit, this.#procRoot))
  }

  /**
   * Moves processes into a unit of ours that runs, or into a cgroup that we have made below it. They are there when this
   * returns.
   *
   * @param place `subcgroup` is a path below the unit's cgroup, such as `'/vm'`; default the unit's own.
   */
  async attachPids(
    unit: string,
    pids: readonly number[],
    place: { readonly subcgroup?: string | undefined } = {},
    options: SystemdCallOptions = {},
  ): Promise<void> {
    checkText('unit', unit)
    checkPids(pids)
    const call = {
      ...MANAGER,
      member: 'AttachProcessesToUnit',
      signature: 'ssau',
      args: [unit, place.subcgroup ?? '', pids],
      about: unit,
    }
    await this.#within(options, async (limit) => {
      const { bus } = await this.#link.connection(limit)
      await bus.call(call, limit)
    })
  }

  /** Sets limits of a unit of ours that runs, until it ends; what is left out stays. */
  async setLimits(
    unit: string,
    limits: Partial<UnitLimits>,
    options: SystemdCallOptions = {},
  ): Promise<void> {
    checkText('unit', unit)
    const call = {
      ...MANAGER,
      member: 'SetUnitProperties',
      signature: 'sba(sv)',
      args: [unit, true, limitProperties(limits)],
      about: unit,
    }
    await this.#within(options, async (limit) => {
      await askAgain(this.#link, limit, ({ bus }) => bus.call(call, limit))
    })
  }

  /**
   * Stops the unit of that invocation and waits until it has ended; systemd kills what is still in it, by SIGTERM and
   * after a time by SIGKILL. A failed one is forgotten. Safe to call twice.
   *
   * @returns false when there was nothing to stop: no such unit, or one of another invocation, which is left alone.
   * @throws UnitJobError `ERR_VMCG_SYSTEMD_JOB`; `ERR_VMCG_SYSTEMD_JOB_TIMEOUT`: it is being stopped all the same.
   */
  stop(
    { unit, invocationId }: { readonly unit: string; readonly invocationId: string },
    options: SystemdCallOptions = {},
  ): Promise<boolean> {
    checkText('unit', unit)
    checkText('invocationId', invocationId)
    return this.#within(options, (limit) => stopUnit(this.#link, unit, invocationId, limit))
  }

  /** Lets go of the connection. Units stay as they are. Safe to call twice. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#link.release()
  }

  async #within<T>({ signal }: SystemdCallOptions, act: (limit: TimeLimit) => Promise<T>): Promise<T> {
    checkSignal(signal)
    if (this.#isClosed) throw new VmcgError('ERR_VMCG_CLOSED', 'these systemd units were closed')
    const limit = new TimeLimit(this.#timeoutMs, signal)
    try {
      return await act(limit)
    } finally {
      limit.end()
    }
  }
}

function checkTimeout(timeoutMs: number): number {
  if (Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS) return timeoutMs
  throw badArgument('timeoutMs', `a whole number of milliseconds, 1 to ${MAX_TIMEOUT_MS}`, timeoutMs)
}

function checkRequest({ unit, slice, pids, description }: ScopeRequest): void {
  checkText('unit', unit)
  if (!unit.endsWith('.scope')) throw badArgument('unit', 'the name of a scope, such as vmcg-1.scope', unit)
  checkText('slice', slice)
  checkPids(pids)
  checkText('description', description)
  // systemd writes it into a file, in which each line is a setting.
  if (/\p{Cc}/u.test(description)) throw badArgument('description', 'one line of text', description)
}

function checkPids(pids: readonly number[]): void {
  checkList('pids', pids)
  if (pids.length === 0) throw badArgument('pids', 'at least one process', pids)
  for (const [index, pid] of pids.entries()) checkId(`pids[${index}]`, pid)
}
