import type { BusAddress } from './bus-address'
import { BUS, BusConnection, type BusSignal } from './bus-connection'
import { hasCode, isReply, noSocketError } from './bus-errors'
import type { TimeLimit } from './time-limit'

/** The object of systemd itself. Source: org.freedesktop.systemd1(5). */
export const MANAGER = {
  destination: 'org.freedesktop.systemd1',
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
} as const

/** A job of systemd that is over. */
export interface EndedJob {
  /** Its object path, as the call that made it has returned it. */
  readonly job: string
  readonly unit: string
  /** `'done'`, or how it failed: `'canceled'`, `'timeout'`, `'failed'`, `'dependency'`, `'skipped'`, ... */
  readonly result: string
}

const JOBS = `type='signal',sender='${MANAGER.destination}',path='${MANAGER.path}',interface='${MANAGER.interface}',member='JobRemoved'`
const OWNER = `type='signal',sender='${BUS.destination}',member='NameOwnerChanged',arg0='${MANAGER.destination}'`

/** A connection on which systemd tells of each job that ends. */
export class ManagerConnection {
  readonly bus: BusConnection
  /** Of systemd on this bus: only what comes from there is believed, since every user may send signals to us. */
  #owner: string | undefined
  readonly #listeners = new Set<(ended: EndedJob) => void>()

  private constructor(bus: BusConnection) {
    this.bus = bus
    bus.onSignal((signal) => this.#receive(signal))
  }

  /**
   * The first of the addresses where a systemd answers.
   *
   * @throws SystemdError as {@link BusConnection.connect}: `ERR_VMCG_DBUS_NO_SOCKET` when nothing is there, else what
   *   went wrong where something is; `ERR_VMCG_SYSTEMD_MISSING` for a bus without systemd.
   */
  static async connect(addresses: readonly BusAddress[], limit: TimeLimit): Promise<ManagerConnection> {
    let failure: unknown
    for (const address of addresses) {
      try {
        return await ManagerConnection.#connectTo(address, limit)
      } catch (error) {
        if (!hasCode(error, 'ERR_VMCG_DBUS_NO_SOCKET')) failure ??= error
        if (!isElsewhere(error)) break
      }
    }
    throw failure ?? noSocketError(addresses)
  }

  static async #connectTo(address: BusAddress, limit: TimeLimit): Promise<ManagerConnection> {
    const bus = await BusConnection.connect(address, limit)
    try {
      const manager = new ManagerConnection(bus)
      if (!address.isPeer) await manager.#findOwner(limit)
      await bus.call({ ...MANAGER, member: 'Subscribe' }, limit).catch((error: unknown) => {
        if (!isReply(error, 'org.freedesktop.systemd1.AlreadySubscribed')) throw error
      })
      return manager
    } catch (error) {
      bus.close()
      throw error
    }
  }

  /** Each job that ends from now on, of any unit. @returns ends it */
  onJobEnded(listener: (ended: EndedJob) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The rules first: whoever asks for the owner first can miss that it changes. */
  async #findOwner(limit: TimeLimit): Promise<void> {
    for (const rule of [OWNER, JOBS]) {
      await this.bus.call({ ...BUS, member: 'AddMatch', signature: 's', args: [rule] }, limit)
    }
    const call = { ...BUS, member: 'GetNameOwner', signature: 's', args: [MANAGER.destination] }
    const owner = await this.bus.call({ ...call, about: MANAGER.destination }, limit)
    this.#owner ??= String(owner)
  }

  #receive({ sender, path, interface: of, member, args }: BusSignal): void {
    if (sender === BUS.destination && member === 'NameOwnerChanged' && args[0] === MANAGER.destination) {
      this.#owner = String(args[2])
      return
    }
    if (of !== MANAGER.interface || member !== 'JobRemoved' || path !== MANAGER.path) return
    if (!this.bus.address.isPeer && sender !== this.#owner) return
    const [, job, unit, result] = args
    for (const listener of this.#listeners) {
      listener({ job: String(job), unit: String(unit), result: String(result) })
    }
  }
}

/** Whether it makes sense to look for systemd at the next address. */
function isElsewhere(error: unknown): boolean {
  return ['ERR_VMCG_DBUS_NO_SOCKET', 'ERR_VMCG_DBUS_REFUSED', 'ERR_VMCG_SYSTEMD_MISSING'].some((code) =>
    hasCode(error, code),
  )
}
