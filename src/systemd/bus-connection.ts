import { createConnection, type Socket } from 'node:net'
import { createClient, type Message, type MessageBus } from 'dbus-native'
import type { SystemdError } from '../errors'
import type { BusAddress } from './bus-address'
import { closedError, connectError, replyError } from './bus-errors'
import type { TimeLimit } from './time-limit'

/** A method call. A peer, which has no names, is sent no destination. */
export interface BusCall {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  /** D-Bus types of the arguments, such as `'ss'`. */
  readonly signature?: string
  readonly args?: readonly unknown[]
  /** What it is about, for errors, such as a unit's name. */
  readonly about?: string
}

/** A signal that came in. */
export interface BusSignal {
  /** The sender's unique name, which the bus itself fills in; none on a peer-to-peer connection. */
  readonly sender: string | undefined
  readonly path: string | undefined
  readonly interface: string | undefined
  readonly member: string | undefined
  readonly args: readonly unknown[]
}

/** `messageType.signal` of dbus-native; the number is in the D-Bus specification, "Message Types". */
const SIGNAL = 4

export const BUS = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
} as const

/**
 * A connection to one bus or one peer: calls with their answers, and signals. It does not keep the process alive, and
 * once it has ended it stays so; `failure` says why.
 */
export class BusConnection {
  readonly address: BusAddress
  readonly #socket: Socket
  readonly #bus: MessageBus
  readonly #listeners = new Set<(signal: BusSignal) => void>()
  readonly #whenEnded = new Set<() => void>()
  readonly #authenticated: Promise<void>
  #isAuthenticated = false
  #failure: SystemdError | undefined

  private constructor(address: BusAddress) {
    this.address = address
    this.#socket = createConnection({ path: address.socket })
    this.#socket.unref()
    // Told to be direct, dbus-native says no Hello by itself: when that goes wrong it throws where nobody can catch.
    // EXTERNAL is what unix sockets are for; the others would read the user's keyring.
    this.#bus = createClient({
      stream: this.#socket,
      direct: true,
      authMethods: ['EXTERNAL'],
      plainValues: true,
      returnBigInt: true,
    })
    const { connection } = this.#bus
    this.#authenticated = new Promise((resolve, reject) => {
      connection.on('connect', () => {
        this.#isAuthenticated = true
        resolve()
      })
      connection.on('close', () => reject(this.#failure))
    })
    connection.on('error', (cause) => this.#fail(this.#endedBy(cause)))
    connection.on('end', () => this.#fail(this.#hungUp()))
    connection.on('handlerError', (cause: Error) => this.#fail(closedError(address, cause.message, cause)))
    connection.on('message', (message) => this.#receive(message))
  }

  /**
   * Connects, authenticates and, on a bus, says Hello.
   *
   * @throws SystemdError `ERR_VMCG_DBUS_NO_SOCKET`; `ERR_VMCG_DBUS_REFUSED` when nobody listens, or we are not let in;
   *   `ERR_VMCG_DBUS_LIMIT` when the bus lets nobody in for now; `ERR_VMCG_DBUS_CLOSED` when the other side hangs up or
   *   speaks something else; or the kernel's own name (`'EACCES'`). As {@link TimeLimit.within}.
   */
  static async connect(address: BusAddress, limit: TimeLimit): Promise<BusConnection> {
    const connection = new BusConnection(address)
    try {
      await limit.within(connection.#authenticated, `the greeting of ${address.socket}`)
      if (!address.isPeer) await connection.call({ ...BUS, member: 'Hello' }, limit)
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }

  /** Why the connection is of no more use; undefined while it is. */
  get failure(): SystemdError | undefined {
    return this.#failure
  }

  /**
   * Calls a method and awaits its answer.
   *
   * @returns The value of the answer, a list when it has several: `t` and `x` as bigint, `ay` as Buffer, a variant as its
   *   value.
   * @throws BusReplyError when it is refused; SystemdError `ERR_VMCG_DBUS_CLOSED` when the connection ends first, with
   *   nothing known of what became of the call. As {@link TimeLimit.within}.
   */
  async call(call: BusCall, limit: TimeLimit): Promise<unknown> {
    const what = call.about === undefined ? call.member : `${call.member} of ${call.about}`
    if (this.#failure !== undefined) throw this.#failure
    // Ended in any case: dbus-native would remember a call that is never answered for as long as the connection lives.
    const wanted = new AbortController()
    try {
      return await limit.within(this.#invoke(call, wanted.signal), what)
    } catch (error) {
      const dbusName = replyName(error)
      throw dbusName === undefined
        ? error
        : replyError(this.address, what, dbusName, String(Reflect.get(Object(error), 'message')), error)
    } finally {
      wanted.abort()
    }
  }

  /** Each signal that comes in from now on. @returns ends it */
  onSignal(listener: (signal: BusSignal) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Told once, when the connection ends for whatever reason. @returns takes it back */
  onEnd(listener: () => void): () => void {
    this.#whenEnded.add(listener)
    return () => this.#whenEnded.delete(listener)
  }

  /** Ends the connection. What is in flight rejects with `ERR_VMCG_DBUS_CLOSED`. Safe to call twice. */
  close(): void {
    this.#fail(closedError(this.address, 'it was closed on this side'))
  }

  async #invoke({ destination, path, interface: of, member, signature, args }: BusCall, signal: AbortSignal) {
    const message: Message = {
      path,
      interface: of,
      member,
      ...(this.address.isPeer ? {} : { destination }),
      ...(signature === undefined ? {} : { signature, body: [...(args ?? [])] }),
    }
    try {
      return await this.#bus.invoke<unknown>(message, { signal })
    } catch (error) {
      // dbus-native tells its own calls of the end before it tells us.
      throw Reflect.get(Object(error), 'code') === 'ECONNCLOSED' ? (this.#failure ?? this.#hungUp()) : error
    }
  }

  #receive({ type, sender, path, interface: of, member, body }: Message): void {
    if (type !== SIGNAL) return
    for (const listener of this.#listeners)
      listener({ sender, path, interface: of, member, args: body ?? [] })
  }

  #endedBy(cause: Error): SystemdError {
    return this.#isAuthenticated
      ? closedError(this.address, cause.message, cause)
      : connectError(this.address, cause)
  }

  #hungUp(): SystemdError {
    return closedError(this.address, 'the other side hung up')
  }

  #fail(failure: SystemdError): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    this.#socket.destroy()
    for (const listener of this.#whenEnded) listener()
  }
}

/** Of an error reply; an error that dbus-native made by itself brings no reply. */
function replyName(error: unknown): string | undefined {
  if (Reflect.get(Object(error), 'reply') === undefined) return undefined
  const name: unknown = Reflect.get(Object(error), 'dbusName')
  return typeof name === 'string' ? name : undefined
}
