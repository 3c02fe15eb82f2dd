import type { BusAddress } from './bus-address'
import { hasCode } from './bus-errors'
import { ManagerConnection } from './manager-connection'
import { TimeLimit } from './time-limit'
import { pauseBefore, TRIES } from './tries'

/** How long a connection may take to come about, whoever waits for it. */
const CONNECT_MS = 10_000
const ALWAYS_PASSING = ['ERR_VMCG_DBUS_LIMIT', 'ERR_VMCG_DBUS_CLOSED']
const PASSING_ONCE_THERE = ['ERR_VMCG_DBUS_NO_SOCKET', 'ERR_VMCG_DBUS_REFUSED', 'ERR_VMCG_SYSTEMD_MISSING']

/** One for each list of addresses: connections are shared by all that use them in this process. */
const links = new Map<string, ManagerLink>()

/**
 * The way to one systemd: a connection that is made when it is first needed, and again after it was lost. It ends with
 * its last user.
 */
export class ManagerLink {
  readonly addresses: readonly BusAddress[]
  readonly #key: string
  #users = 0
  #connecting: Promise<ManagerConnection> | undefined
  #hasBeenThere = false

  private constructor(key: string, addresses: readonly BusAddress[]) {
    this.#key = key
    this.addresses = addresses
  }

  /** To be given back with `release`. */
  static take(addresses: readonly BusAddress[]): ManagerLink {
    const key = addresses.map(({ socket }) => socket).join('\n')
    const link = links.get(key) ?? new ManagerLink(key, addresses)
    links.set(key, link)
    link.#users += 1
    return link
  }

  /** Errors as {@link ManagerConnection.connect}; what may pass is tried again. */
  connection(limit: TimeLimit): Promise<ManagerConnection> {
    this.#connecting ??= this.#connect()
    return limit.within(this.#connecting, 'the greeting of systemd')
  }

  /** What is in flight for the last user rejects with `ERR_VMCG_DBUS_CLOSED`. */
  release(): void {
    this.#users -= 1
    if (this.#users > 0) return
    links.delete(this.#key)
    this.#connecting?.then(
      ({ bus }) => bus.close(),
      () => undefined,
    )
  }

  /** Its time is its own: who gives up waiting does not end it for the others. */
  async #connect(): Promise<ManagerConnection> {
    const limit = new TimeLimit(CONNECT_MS)
    try {
      const connection = await this.#tryToConnect(limit)
      this.#hasBeenThere = true
      connection.bus.onEnd(this.#forget)
      if (connection.bus.failure !== undefined) throw connection.bus.failure
      return connection
    } catch (error) {
      this.#forget()
      throw error
    } finally {
      limit.end()
    }
  }

  readonly #forget = (): void => {
    this.#connecting = undefined
  }

  async #tryToConnect(limit: TimeLimit): Promise<ManagerConnection> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ManagerConnection.connect(this.addresses, limit)
      } catch (error) {
        if (attempt === TRIES || this.#users === 0 || !this.#mayPass(error)) throw error
        await pauseBefore(attempt + 1, limit, 'the greeting of systemd')
      }
    }
  }

  /** What has been there comes back: a bus is restarted, and systemd leaves it for a moment in a daemon-reexec. */
  #mayPass(error: unknown): boolean {
    const codes = this.#hasBeenThere ? [...ALWAYS_PASSING, ...PASSING_ONCE_THERE] : ALWAYS_PASSING
    return codes.some((code) => hasCode(error, code))
  }
}
