import { linkSync, mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBroker } from 'dbus-native'
import { SystemdUnits, type SystemdUnitsOptions } from '../../src/systemd/systemd-units'
import { FakeSystemd } from '../support/fake-systemd'
import { closeUnits, openUnits } from '../support/open-units'

let folder: string
let socket: string
let ends: (() => unknown)[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmcg-test-bus-'))
  socket = join(folder, 'bus')
  ends = [() => rmSync(folder, { recursive: true, force: true })]
})

afterEach(async () => {
  closeUnits()
  for (const end of ends.reverse()) await end()
})

function open(options: SystemdUnitsOptions = {}): Promise<SystemdUnits> {
  return SystemdUnits.open({ addresses: [{ socket, isPeer: false }], ...options })
}

/** Something that listens, and does to each client whatever the test wants. */
async function listen(serve: (client: Socket) => void, backlog?: number): Promise<Server> {
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.on('error', () => client.destroy())
    serve(client)
  })
  await new Promise<void>((resolve) => server.listen({ path: socket, backlog }, resolve))
  ends.push(() => {
    for (const client of clients) client.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return server
}

/** A bus of dbus-native. */
async function serveBus(options: { authorize?: () => boolean } = {}): Promise<void> {
  const broker = createBroker({ authTimeout: 0, ...options })
  broker.on('clientError', () => undefined)
  await new Promise<void>((resolve) => broker.listen({ socket }, () => resolve()))
  ends.push(() => new Promise<void>((resolve) => broker.close(resolve)))
}

describe('a bus that is not as it should be', () => {
  test('is missing', async () => {
    const other = join(folder, 'other')
    const addresses = [socket, other].map((path) => ({ socket: path, isPeer: false }))
    await expect(open({ addresses })).rejects.toMatchObject({
      name: 'SystemdError',
      code: 'ERR_VMCG_DBUS_NO_SOCKET',
      message: `there is no D-Bus socket to reach systemd: ${socket}, ${other}`,
      path: socket,
      hint: expect.stringMatching(/cgroupfs/),
    })
  })

  test('has ended', async () => {
    const server = createServer()
    const path = join(folder, 'bound')
    await new Promise<void>((resolve) => server.listen(path, resolve))
    linkSync(path, socket)
    await new Promise((resolve) => server.close(resolve))
    await expect(open()).rejects.toMatchObject({
      code: 'ERR_VMCG_DBUS_REFUSED',
      message: `nobody listens on ${socket}`,
      hint: expect.stringMatching(/systemctl restart dbus/),
    })
  })

  test('says nothing', async () => {
    await listen(() => undefined)
    await expect(open({ timeoutMs: 200 })).rejects.toMatchObject({
      code: 'ERR_VMCG_DBUS_TIMEOUT',
      message: 'no answer to the greeting of systemd within 200 ms',
    })
  })

  test('says nothing to a caller who has enough of it', async () => {
    await listen(() => undefined)
    const reason = new Error('enough')
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), 50)
    await expect(open({ signal: controller.signal })).rejects.toBe(reason)
  })

  test('hangs up before it lets anybody in', async () => {
    let connections = 0
    await listen((client) => {
      connections += 1
      client.destroy()
    })
    await expect(open()).rejects.toMatchObject({ code: 'ERR_VMCG_DBUS_CLOSED', path: socket })
    expect(connections).toBe(7)
  })

  test('lets this user not in', async () => {
    await serveBus({ authorize: () => false })
    await expect(open()).rejects.toMatchObject({
      code: 'ERR_VMCG_DBUS_REFUSED',
      message: expect.stringMatching(/lets user \d+ not in/),
    })
  })

  test('lets us in, and then speaks something else', async () => {
    await listen((client) => {
      client.on('data', (data) => {
        client.write(data.includes('BEGIN') ? 'HTTP/1.1 400 Bad Request\r\n\r\n' : 'OK 1234\r\n')
      })
    })
    await expect(open()).rejects.toMatchObject({ code: 'ERR_VMCG_DBUS_CLOSED' })
  })

  test('has no systemd', async () => {
    await serveBus()
    await expect(open()).rejects.toMatchObject({
      code: 'ERR_VMCG_SYSTEMD_MISSING',
      hint: expect.stringMatching(/no systemd is on this bus/),
    })
  })

  test('has no room for a moment (EAGAIN)', async () => {
    const systemd = await FakeSystemd.onBus()
    ends.push(() => systemd.close())
    // Nothing is accepted until this turn of the event loop is over.
    await listen((client) => {
      const toBus = createConnection(systemd.address.socket)
      toBus.on('error', () => client.destroy())
      client.pipe(toBus).pipe(client)
    }, 1)
    const crowd = Array.from({ length: 4 }, () => createConnection(socket))
    const refused = crowd.map((client) => new Promise((resolve) => client.on('error', resolve)))
    const opening = open()
    await expect(Promise.race(refused)).resolves.toMatchObject({ code: 'EAGAIN' })
    for (const client of crowd) client.destroy()
    const units = await opening
    await expect(units.version()).resolves.toBe('252.1-fake')
    units.close()
  })
})

describe('the way to systemd', () => {
  let systemd: FakeSystemd

  beforeEach(async () => {
    systemd = await FakeSystemd.asPeer()
    ends.push(() => systemd.close())
  })

  test.each([
    ['no bus', async () => undefined],
    ['a bus without systemd', () => serveBus()],
  ])('is its own socket where there is %s', async (_name, serve) => {
    await serve()
    const units = await openUnits(systemd, { addresses: [{ socket, isPeer: false }, systemd.address] })
    await expect(units.version()).resolves.toBe('252.1-fake')
  })

  test('bears being called already', async () => {
    systemd.on('Subscribe', (call) => call.refuse('org.freedesktop.systemd1.AlreadySubscribed'))
    const units = await openUnits(systemd)
    await expect(units.version()).resolves.toBe('252.1-fake')
  })

  test('is one for all who ask at the same time', async () => {
    const all = await Promise.all([openUnits(systemd), openUnits(systemd), openUnits(systemd)])
    await expect(Promise.all(all.map((units) => units.version()))).resolves.toHaveLength(3)
    expect(systemd.howOften('Subscribe')).toBe(1)
  })

  test('ends with the last who closes', async () => {
    const one = await openUnits(systemd)
    const other = await openUnits(systemd)
    one.close()
    other.close()
    await openUnits(systemd)
    expect(systemd.howOften('Subscribe')).toBe(2)
  })

  test.each([0, -1, 1.5, 2 ** 31, Number.NaN])('takes no timeout of %p ms', async (timeoutMs) => {
    await expect(openUnits(systemd, { timeoutMs })).rejects.toMatchObject({
      code: 'ERR_VMCG_INVALID_ARGUMENT',
    })
  })
})
