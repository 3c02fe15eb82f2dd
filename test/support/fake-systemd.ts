import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createBroker,
  createConnection,
  type DBusBroker,
  type DBusConnection,
  type Message,
} from 'dbus-native'
import type { BusAddress } from '../../src/systemd/bus-address'
import { type FakeUnit, jobPath, MANAGER_PATH, unitOfPath, unitPath, unitProperty } from './fake-unit'

/** A method call that came in, to be answered in whatever way, or not. */
export interface FakeCall {
  readonly member: string
  readonly args: readonly unknown[]
  /** The caller's unique name; empty where there are no names. */
  readonly sender: string
  answer(signature?: string, ...values: readonly unknown[]): void
  refuse(dbusName: string, text?: string): void
}

type Handler = (call: FakeCall) => void

const METHOD_CALL = 1
const METHOD_RETURN = 2
const ERROR = 3
const SIGNAL = 4
const NAME = 'org.freedesktop.systemd1'
const NO_SUCH_UNIT = `${NAME}.NoSuchUnit`

/**
 * As much of a systemd as vmcg asks for, in this process: on a bus that dbus-native plays, or as the peer itself. It
 * starts and stops units as the real one does until a test says otherwise, and moves processes about in a /proc of its
 * own.
 */
export class FakeSystemd {
  readonly address: BusAddress
  readonly procRoot: string
  readonly units = new Map<string, FakeUnit>()
  /** Each call of systemd that came in, as `Member first-argument`. */
  readonly calls: string[] = []
  readonly #folder: string
  readonly #handlers = new Map<string, Handler>()
  readonly #sockets = new Set<Socket>()
  #connection: DBusConnection | undefined
  #end: () => Promise<void> = async () => undefined
  #serial = 1
  #jobs = 0

  private constructor(isPeer: boolean) {
    this.#folder = mkdtempSync(join(tmpdir(), 'vmcg-test-dbus-'))
    this.procRoot = join(this.#folder, 'proc')
    this.address = { socket: join(this.#folder, 'bus'), isPeer }
  }

  /** Behind a bus. */
  static async onBus(): Promise<FakeSystemd> {
    const systemd = new FakeSystemd(false)
    await systemd.#serveBus()
    return systemd
  }

  /** As on /run/systemd/private. */
  static async asPeer(): Promise<FakeSystemd> {
    const systemd = new FakeSystemd(true)
    const server = createServer((socket) => {
      const connection = createConnection({
        stream: socket,
        server: true,
        returnBigInt: true,
        plainValues: true,
      })
      systemd.#connection = connection
      systemd.#serve(connection)
      systemd.#sockets.add(socket)
    })
    await listen(server, systemd.address.socket)
    systemd.#end = () => new Promise((resolve) => server.close(() => resolve()))
    return systemd
  }

  /** What is to be done in place of what systemd does. Call `andThen` to do that as well. */
  on(member: string, handler: (call: FakeCall, andThen: () => void) => void): void {
    this.#handlers.set(member, (call) => handler(call, () => this.#behave(call)))
  }

  /** The same, once. */
  once(member: string, handler: (call: FakeCall, andThen: () => void) => void): void {
    this.on(member, (call, andThen) => {
      this.#handlers.delete(member)
      handler(call, andThen)
    })
  }

  /** A process in the /proc that vmcg is told to look at. */
  addProcess(pid: number, cgroup = '/user.slice'): void {
    mkdirSync(join(this.procRoot, String(pid)), { recursive: true })
    writeFileSync(join(this.procRoot, String(pid), 'cgroup'), `1:cpuset:/\n0::${cgroup}\n`)
  }

  endProcess(pid: number): void {
    rmSync(join(this.procRoot, String(pid)), { recursive: true })
  }

  /** A unit that somebody has started. */
  addUnit(name: string, unit: Partial<FakeUnit> = {}): FakeUnit {
    const added: FakeUnit = {
      name,
      description: name,
      activeState: 'active',
      invocationId: randomBytes(16).toString('hex'),
      controlGroup: `/system.slice/${name}`,
      pids: [],
      job: 0,
      ...unit,
    }
    this.units.set(name, added)
    for (const pid of added.pids) this.addProcess(pid, added.controlGroup)
    return added
  }

  /** How many calls of a method came in. */
  howOften(member: string): number {
    return this.calls.filter((call) => call.split(' ')[0] === member).length
  }

  /** Tells everybody who listens. */
  tellJobRemoved(unit: string, job: number, result: string): void {
    this.#send({
      type: SIGNAL,
      path: MANAGER_PATH,
      interface: `${NAME}.Manager`,
      member: 'JobRemoved',
      signature: 'uoss',
      body: [job, jobPath(job), unit, result],
    })
  }

  /** Ends every connection but systemd's own to the bus. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  /** The bus ends as well; `restart` brings it back on the same socket. */
  async endBus(): Promise<void> {
    this.hangUp()
    await this.#end()
  }

  async restart(): Promise<void> {
    await this.#serveBus()
  }

  async close(): Promise<void> {
    await this.endBus()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #serveBus(): Promise<void> {
    // Its own time limit would outlive a client that never got to log in, and the test.
    const broker = createBroker({ authTimeout: 0 })
    const { socket } = this.address
    broker.on('clientError', () => undefined)
    await new Promise<void>((resolve) => broker.listen({ socket }, () => resolve()))
    const connection = createConnection({ socket, returnBigInt: true, plainValues: true })
    connection.on('error', () => undefined)
    this.#connection = connection
    this.#serve(connection)
    await new Promise<void>((resolve) => connection.once('connect', () => resolve()))
    this.#askBus('Hello')
    this.#askBus('RequestName', 'su', [NAME, 0])
    await new Promise<void>((resolve) => waitForName(broker, resolve))
    // From now on: systemd's own is there.
    broker.on('connection', ({ stream }: { stream: Socket }) => this.#sockets.add(stream))
    this.#end = async () => {
      connection.end()
      await new Promise<void>((resolve) => broker.close(() => resolve()))
    }
  }

  #askBus(member: string, signature?: string, body?: unknown[]): void {
    const bus = 'org.freedesktop.DBus'
    const path = '/org/freedesktop/DBus'
    const args = signature === undefined || body === undefined ? {} : { signature, body }
    this.#send({ type: METHOD_CALL, destination: bus, path, interface: bus, member, ...args })
  }

  #send(message: Message): void {
    this.#connection?.message({ serial: this.#serial++, ...message })
  }

  #serve(connection: DBusConnection): void {
    connection.on('error', () => undefined)
    connection.on('message', (message) => {
      if (message.type !== METHOD_CALL) return
      const { sender, serial, member = '', body = [] } = message
      const reply = {
        ...(sender === undefined ? {} : { destination: sender }),
        ...(serial === undefined ? {} : { replySerial: serial }),
      }
      const call: FakeCall = {
        member,
        sender: sender ?? '',
        args: member === 'Get' ? [...body, unitOfPath(message.path ?? '')] : body,
        answer: (signature, ...values) => {
          const args = signature === undefined ? {} : { signature, body: [...values] }
          this.#send({ type: METHOD_RETURN, ...reply, ...args })
        },
        refuse: (errorName, text = errorName) =>
          this.#send({ type: ERROR, ...reply, errorName, signature: 's', body: [text] }),
      }
      this.calls.push([member, body[0]].filter((word) => typeof word === 'string').join(' '))
      const handler = this.#handlers.get(member)
      if (handler === undefined) this.#behave(call)
      else handler(call)
    })
  }

  #behave(call: FakeCall): void {
    const [first, second] = call.args
    const unit = this.units.get(String(first))
    switch (call.member) {
      case 'StartTransientUnit':
        if (unit !== undefined) call.refuse(`${NAME}.UnitExists`, `Unit ${first} already exists.`)
        else this.#start(call)
        return
      case 'Get':
        call.answer('v', unitProperty(this.units.get(String(call.args[2])), String(second)))
        return
      case 'Subscribe':
        call.answer()
        return
      case 'CancelJob': {
        const canceled = [...this.units.values()].find(({ job }) => job === Number(first))
        if (canceled !== undefined) this.units.delete(canceled.name)
        call.answer()
        if (canceled !== undefined) this.tellJobRemoved(canceled.name, canceled.job, 'canceled')
        return
      }
      default:
    }
    if (unit === undefined) {
      call.refuse(NO_SUCH_UNIT, `Unit ${first} not loaded.`)
      return
    }
    switch (call.member) {
      case 'GetUnit':
        call.answer('o', unitPath(unit.name))
        return
      case 'GetUnitProcesses':
        call.answer(
          'a(sus)',
          unit.pids.map((pid) => [unit.controlGroup, pid, `program-${pid}`]),
        )
        return
      case 'SetUnitProperties':
        call.answer()
        return
      case 'ResetFailedUnit':
        if (unit.activeState === 'failed') this.units.delete(unit.name)
        call.answer()
        return
      case 'AttachProcessesToUnit': {
        const pids = call.args[2]
        for (const pid of Array.isArray(pids) ? pids : []) this.addProcess(Number(pid), unit.controlGroup)
        call.answer()
        return
      }
      case 'StopUnit': {
        const job = this.newJob()
        call.answer('o', jobPath(job))
        this.units.delete(unit.name)
        this.tellJobRemoved(unit.name, job, 'done')
        return
      }
      default:
        call.refuse('org.freedesktop.DBus.Error.UnknownMethod')
    }
  }

  #start(call: FakeCall): void {
    const unit = this.asked(call)
    const job = this.newJob()
    this.addUnit(unit.name, unit)
    call.answer('o', jobPath(job))
    this.tellJobRemoved(unit.name, job, 'done')
  }

  newJob(): number {
    this.#jobs += 1
    return this.#jobs
  }

  /** The unit that a StartTransientUnit asks for. */
  asked(call: FakeCall): Partial<FakeUnit> & { name: string } {
    const [name, , properties] = call.args
    const values = new Map(Array.isArray(properties) ? properties : [])
    const pids = values.get('PIDs')
    return {
      name: String(name),
      description: String(values.get('Description')),
      controlGroup: `/${values.get('Slice')}/${name}`,
      pids: Array.isArray(pids) ? pids.map(Number) : [],
    }
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve) => server.listen(path, () => resolve()))
}

function waitForName(broker: DBusBroker, done: () => void): void {
  if (broker.names().includes(NAME)) done()
  else setImmediate(() => waitForName(broker, done))
}
