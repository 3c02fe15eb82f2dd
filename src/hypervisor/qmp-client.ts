import { once } from 'node:events'
import type { Socket } from 'node:net'
import { QmpError } from '../errors'
import { checkObject, checkSignal, checkText } from '../model/argument'
import { short } from '../model/quote'
import { closedError, noGreetingError, protocolError, QmpCommandError, timeoutError } from './qmp-errors'
import { type QmpEventOptions, QmpEventStream } from './qmp-events'
import { QmpFramer } from './qmp-framing'
import { type QmpMessage, type QmpObject, readMessage } from './qmp-messages'
import { connectUnixSocket } from './qmp-socket'

export interface QmpCallOptions {
  /** Rejects with `signal.reason`. A command that was sent is carried out all the same; its answer is dropped. */
  readonly signal?: AbortSignal | undefined
  /** How long to wait, in milliseconds, 1 to 2147483647. */
  readonly timeoutMs?: number | undefined
}

export interface QmpClientOptions {
  /** The path of the monitor's unix socket. */
  readonly socket: string
  /** How long to wait for the greeting, and again for the negotiation, in milliseconds. Default 5000. */
  readonly timeoutMs?: number | undefined
  /** How long a command may take unless its call says otherwise, in milliseconds. Default 30000. */
  readonly commandTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

interface Request {
  /** The command, or what else is awaited. */
  readonly command: string
  resolve(value: unknown): void
  reject(reason: unknown): void
}

interface Waiting extends QmpCallOptions {
  readonly timeoutMs: number
  readonly onTimeout: (path: string, command: string, timeoutMs: number) => QmpError
}

const GREETING_TIMEOUT_MS = 5_000
/** A VMM whose main thread is held to 1 % of a CPU needs up to 11 s for a `device_add`. */
const COMMAND_TIMEOUT_MS = 30_000
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** The greeting is awaited as the answer to a request that is never sent. */
const GREETING_ID = 0

/**
 * A QMP connection: commands, their answers, and events. Out-of-band execution is not negotiated, so that answers
 * come in the order of the commands.
 *
 * An open connection keeps the process alive until `close()`, as every open socket does.
 *
 * Source: QEMU docs/interop/qmp-spec.
 */
export class QmpClient {
  /** The monitor's socket, as it was passed. */
  readonly path: string
  /** The process that listens on the socket, by SO_PEERCRED; 0 where that is not to be known. */
  readonly peerPid: number
  readonly #socket: Socket
  readonly #framer: QmpFramer
  /** In the order they were sent. One that was aborted stays until its answer has come, to keep that order. */
  readonly #requests = new Map<number, Request>()
  readonly #streams = new Set<QmpEventStream>()
  readonly #commandTimeoutMs: number
  #lastId = GREETING_ID
  /** Why the connection is of no more use; undefined while it is. */
  #failure: QmpError | undefined
  #hasHungUp = false

  private constructor(path: string, commandTimeoutMs: number) {
    const { socket, peerPid } = connectUnixSocket(path)
    this.path = path
    this.peerPid = peerPid
    this.#socket = socket
    this.#framer = new QmpFramer(path)
    this.#commandTimeoutMs = commandTimeoutMs
    socket.on('data', (chunk) => this.#receive(typeof chunk === 'string' ? Buffer.from(chunk) : chunk))
    socket.on('end', () => this.#hangUp(closedError(path, 'the VMM hung up')))
    socket.on('error', (cause) => this.#hangUp(closedError(path, cause.message, cause)))
  }

  /**
   * Connects, awaits the greeting and negotiates.
   *
   * @throws QmpError `ERR_VMCG_QMP_NO_SOCKET`; `ERR_VMCG_QMP_REFUSED` when nobody listens; `ERR_VMCG_QMP_IN_USE` when
   * there is no greeting in time; `ERR_VMCG_QMP_CLOSED` when the VMM hangs up; `ERR_VMCG_QMP_PROTOCOL` when the peer
   * does not speak QMP; `ERR_VMCG_QMP_TIMEOUT`; `ERR_VMCG_INVALID_ARGUMENT`; or the kernel's own name (`'EACCES'`).
   * `signal.reason` when aborted.
   */
  static async connect(options: QmpClientOptions): Promise<QmpClient> {
    const timeoutMs = checkTimeout(options.timeoutMs, GREETING_TIMEOUT_MS)
    const commandTimeoutMs = checkTimeout(options.commandTimeoutMs, COMMAND_TIMEOUT_MS)
    options.signal?.throwIfAborted()
    const client = new QmpClient(options.socket, commandTimeoutMs)
    try {
      await client.#negotiate(timeoutMs, options.signal)
      return client
    } catch (error) {
      await client.close()
      throw error
    }
  }

  /**
   * Sends a command and awaits its answer.
   *
   * @returns what QMP returned, `{}` for a command without a result
   * @throws QmpCommandError `ERR_VMCG_QMP_COMMAND` when the VMM refuses; QmpError `ERR_VMCG_QMP_CLOSED` when the
   * connection ends first, `ERR_VMCG_QMP_TIMEOUT` (which closes it), `ERR_VMCG_QMP_PROTOCOL`;
   * `ERR_VMCG_INVALID_ARGUMENT`; `signal.reason` when aborted
   */
  async execute(command: string, args?: QmpObject, options: QmpCallOptions = {}): Promise<unknown> {
    checkText('a command', command)
    if (args !== undefined) checkObject(`the arguments of ${command}`, args)
    checkObject('options', options)
    checkSignal(options.signal)
    const timeoutMs = checkTimeout(options.timeoutMs, this.#commandTimeoutMs)
    options.signal?.throwIfAborted()
    if (this.#failure !== undefined) throw this.#failure
    this.#lastId += 1
    const id = this.#lastId
    const line = asJson(command, { execute: command, arguments: args, id })
    const answer = this.#expect(id, command, { timeoutMs, signal: options.signal, onTimeout: timeoutError })
    this.#send(`${line}\n`)
    return answer
  }

  /** What is sent in one turn goes by one system call, and wakes the VMM once. */
  #send(line: string): void {
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork()
      process.nextTick(() => this.#socket.uncork())
    }
    this.#socket.write(line)
  }

  /**
   * The VMM's events from now on. Each call gives a stream of its own; leave its loop, or abort it, to let it go.
   * After `close()` it gives what is queued and ends; when the connection breaks it throws `ERR_VMCG_QMP_…` instead.
   *
   * @throws QmpError `ERR_VMCG_INVALID_ARGUMENT` for a limit that is no whole number above 0
   */
  events(options: QmpEventOptions = {}): QmpEventStream {
    checkObject('options', options)
    checkSignal(options.signal)
    const { limit } = options
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) {
      throw new QmpError('ERR_VMCG_INVALID_ARGUMENT', 'a limit of events is a whole number above 0', {
        value: short(limit),
      })
    }
    const stream = new QmpEventStream(options, (ended) => this.#streams.delete(ended))
    this.#streams.add(stream)
    if (options.signal?.aborted === true) stream.end({ error: options.signal.reason })
    if (this.#failure !== undefined) stream.end({ error: this.#failure })
    return stream
  }

  /** Whether it was the VMM that ended the connection. */
  get hasHungUp(): boolean {
    return this.#hasHungUp
  }

  /** Ends the connection. What is in flight rejects with `ERR_VMCG_QMP_CLOSED`. Safe to call twice. */
  async close(): Promise<void> {
    for (const stream of this.#streams) stream.end({})
    this.#fail(closedError(this.path, 'it was closed on this side'))
    if (!this.#socket.closed) await once(this.#socket, 'close')
  }

  async #negotiate(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#expect(GREETING_ID, 'the greeting', {
      timeoutMs,
      signal,
      onTimeout: (path) => noGreetingError(path, timeoutMs),
    })
    try {
      await this.execute('qmp_capabilities', undefined, { timeoutMs, signal })
    } catch (error) {
      // A server in command mode already answers so; the connection is what it should be.
      if (!(error instanceof QmpCommandError && error.class === 'CommandNotFound')) throw error
    }
  }

  #expect(id: number, command: string, { timeoutMs, signal, onTimeout }: Waiting): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const settled = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => request.reject(signal?.reason)
      const request: Request = {
        command,
        resolve: (value) => {
          settled()
          resolve(value)
        },
        reject: (reason) => {
          settled()
          reject(reason)
        },
      }
      const timer = setTimeout(() => {
        const error = onTimeout(this.path, command, timeoutMs)
        request.reject(error)
        this.#fail(closedError(this.path, `it was given up after ${timeoutMs} ms without an answer`, error))
      }, timeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#requests.set(id, request)
    })
  }

  #receive(chunk: Buffer): void {
    if (this.#failure !== undefined) return
    try {
      for (const message of this.#framer.push(chunk)) this.#dispatch(readMessage(message))
    } catch (error) {
      if (!(error instanceof QmpError)) throw error
      this.#fail(error)
    }
  }

  #dispatch(message: QmpMessage): void {
    const [oldest] = this.#requests.keys()
    if (oldest === GREETING_ID && message.kind !== 'greeting')
      throw protocolError(this.path, 'no QMP greeting first')
    switch (message.kind) {
      case 'greeting':
        this.#take(GREETING_ID)?.resolve(undefined)
        return
      case 'event':
        for (const stream of this.#streams) stream.push(message.event, message.data)
        return
      case 'return':
        this.#take(message.id)?.resolve(message.value)
        return
      case 'error': {
        // Answers come in the order of the commands: an error that names none means the oldest.
        const request = this.#take(message.id ?? oldest)
        request?.reject(new QmpCommandError(this.path, request.command, message.class, message.desc))
        return
      }
      case 'unknown':
        return
    }
  }

  #take(id: unknown): Request | undefined {
    if (typeof id !== 'number') return undefined
    const request = this.#requests.get(id)
    this.#requests.delete(id)
    return request
  }

  #hangUp(failure: QmpError): void {
    if (this.#failure === undefined) this.#hasHungUp = true
    this.#fail(failure)
  }

  #fail(failure: QmpError): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    for (const request of this.#requests.values()) request.reject(failure)
    this.#requests.clear()
    for (const stream of this.#streams) stream.end({ error: failure })
    // What was sent in this turn is on its way.
    this.#socket.uncork()
    this.#socket.destroy()
  }
}

function asJson(command: string, message: QmpObject): string {
  try {
    return JSON.stringify(message)
  } catch (cause) {
    const text = `the arguments of ${command} cannot be written as JSON`
    throw new QmpError('ERR_VMCG_INVALID_ARGUMENT', text, { cause })
  }
}

function checkTimeout(timeoutMs: number | undefined, otherwise: number): number {
  const chosen = timeoutMs ?? otherwise
  if (Number.isInteger(chosen) && chosen >= 1 && chosen <= MAX_TIMEOUT_MS) return chosen
  throw new QmpError(
    'ERR_VMCG_INVALID_ARGUMENT',
    `a timeout is a whole number of milliseconds up to ${MAX_TIMEOUT_MS}`,
    {
      value: short(chosen),
    },
  )
}
