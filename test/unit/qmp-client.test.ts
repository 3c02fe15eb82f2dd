import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { QmpClient } from '../../src/hypervisor/qmp-client'
import { connectError } from '../../src/hypervisor/qmp-errors'
import { type FakeCommand, type FakeMonitor, fakeMonitor, GREETING, speakQmp } from '../support/fake-monitor'

const ENOENT = 2
const EAGAIN = 11
const EACCES = 13

let monitor: FakeMonitor | undefined
let client: QmpClient | undefined

afterEach(async () => {
  await client?.close()
  await monitor?.close()
  client = undefined
  monitor = undefined
})

/** A client of a monitor that does to each connection whatever the test wants. */
async function connectTo(serve: (socket: Socket) => void, timeoutMs = 5000): Promise<QmpClient> {
  monitor = await fakeMonitor(serve)
  client = await QmpClient.connect({ socket: monitor.path, timeoutMs })
  return client
}

/** A client of a monitor that greets properly and then leaves each command to the test. */
function connectToQmp(answer: (command: FakeCommand, socket: Socket) => void): Promise<QmpClient> {
  return connectTo((socket) => speakQmp(socket, (command) => answer(command, socket)))
}

function reply(socket: Socket, message: object): void {
  socket.write(`${JSON.stringify(message)}\r\n`)
}

describe('connecting to a QMP monitor', () => {
  test('knows the process that listens', async () => {
    const { peerPid } = await connectToQmp(() => {})
    expect(peerPid).toBe(process.pid)
  })

  test('takes "already complete" for an answer to the negotiation', async () => {
    const qmp = await connectTo((socket) => {
      socket.write(GREETING)
      socket.on('data', (line) => {
        const { id } = JSON.parse(line.toString())
        const desc = 'Capabilities negotiation is already complete, command ignored'
        reply(socket, { id, error: { class: 'CommandNotFound', desc } })
      })
    })
    expect(qmp.path).toBe(monitor?.path)
  })

  test('says that the monitor is in use when no greeting comes', async () => {
    await expect(connectTo(() => {}, 50)).rejects.toMatchObject({
      name: 'QmpError',
      code: 'ERR_VMCG_QMP_IN_USE',
      path: expect.stringMatching(/qmp\.sock$/),
      message: expect.stringContaining('within 50 ms'),
      hint: expect.stringContaining('-qmp unix:'),
    })
  })

  test('gives up when the negotiation is not answered', async () => {
    await expect(connectTo((socket) => socket.write(GREETING), 1000)).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_TIMEOUT',
      message: expect.stringContaining('qmp_capabilities'),
    })
  })

  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', '"SSH-2.0-OpenSSH_9.2'],
    ['JSON without a greeting', '{"event": "STOP"}\r\n', 'no QMP greeting first'],
  ])('refuses %s', async (_, sent, message) => {
    await expect(connectTo((socket) => socket.write(sent))).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_PROTOCOL',
      message: expect.stringContaining(message),
    })
  })

  test('says so when the peer hangs up before it greets', async () => {
    await expect(connectTo((socket) => socket.end())).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_CLOSED' })
  })

  test('says so where there is no socket', async () => {
    await expect(QmpClient.connect({ socket: '/nowhere/qmp.sock' })).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_NO_SOCKET',
      path: '/nowhere/qmp.sock',
      errno: -ENOENT,
      syscall: 'connect',
    })
  })

  test('says so where nobody listens', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-qmp-'))
    const socket = join(folder, 'file')
    writeFileSync(socket, '')
    try {
      await expect(QmpClient.connect({ socket })).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_REFUSED' })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('keeps the name of any other failure of the kernel', async () => {
    await expect(QmpClient.connect({ socket: '/etc/passwd/qmp.sock' })).rejects.toMatchObject({
      code: 'ENOTDIR',
    })
    expect(connectError('/run/vm.sock', EACCES)).toMatchObject({
      code: 'EACCES',
      hint: expect.stringContaining('ls -l'),
    })
  })

  test('takes a full backlog for a monitor in use', () => {
    expect(connectError('/run/vm.sock', EAGAIN)).toMatchObject({
      code: 'ERR_VMCG_QMP_IN_USE',
      errno: -EAGAIN,
    })
  })

  test.each([
    ['a path that fits no socket address', { socket: `/tmp/${'long'.repeat(26)}` }, 'at most 107'],
    ['what is no path', { socket: JSON.parse('null') }, 'a socket is a path, not null'],
    ['an empty path', { socket: '' }, 'empty'],
    ['a NUL in the path', { socket: '/tmp/a\0b' }, 'NUL'],
    ['a timeout of no time', { socket: '/tmp/a', timeoutMs: 0 }, 'whole number of milliseconds'],
    ['a timeout that no timer can hold', { socket: '/tmp/a', commandTimeoutMs: 2 ** 31 }, 'up to 2147483647'],
  ])('refuses %s', async (_, options, message) => {
    await expect(QmpClient.connect(options)).rejects.toMatchObject({
      code: 'ERR_VMCG_INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    })
  })

  test('rejects with the reason when it is aborted', async () => {
    const controller = new AbortController()
    monitor = await fakeMonitor(() => controller.abort('enough'))
    const connecting = QmpClient.connect({ socket: monitor.path, signal: controller.signal })
    await expect(connecting).rejects.toBe('enough')
    await expect(QmpClient.connect({ socket: monitor.path, signal: controller.signal })).rejects.toBe(
      'enough',
    )
  })
})

describe('a QMP command', () => {
  test('gives what the VMM returns, and sends arguments only where there are some', async () => {
    const qmp = await connectToQmp(({ id, ...command }, socket) => reply(socket, { return: command, id }))
    expect(await qmp.execute('query-status')).toEqual({ execute: 'query-status' })
    const args = { driver: 'qemu64-x86_64-cpu', 'core-id': 1 }
    expect(await qmp.execute('device_add', args)).toEqual({ execute: 'device_add', arguments: args })
  })

  test('finds its own answer by the id, whatever else comes between', async () => {
    const held: FakeCommand[] = []
    const qmp = await connectToQmp((command, socket) => {
      if (held.push(command) < 2) return
      reply(socket, { event: 'NEVER_HEARD_OF', data: {} })
      reply(socket, { return: {}, id: 4711 })
      reply(socket, { return: {}, id: 'a string' })
      reply(socket, { 'of-a-later-qemu': [] })
      for (const { id, execute } of held.reverse())
        reply(socket, { id, 'of-a-later-qemu': 1, return: execute })
    })
    expect(await Promise.all([qmp.execute('stop'), qmp.execute('cont')])).toEqual(['stop', 'cont'])
  })

  test('rejects with the class and the words of an error', async () => {
    const qmp = await connectToQmp(({ id }, socket) =>
      reply(socket, { error: { class: 'DeviceNotFound', desc: "Device 'cpu9' not found" }, id }),
    )
    await expect(qmp.execute('device_del', { id: 'cpu9' })).rejects.toMatchObject({
      name: 'QmpCommandError',
      code: 'ERR_VMCG_QMP_COMMAND',
      message: "device_del: Device 'cpu9' not found (DeviceNotFound)",
      command: 'device_del',
      class: 'DeviceNotFound',
      desc: "Device 'cpu9' not found",
      path: monitor?.path,
    })
  })

  test('is the oldest in flight when an error names no command', async () => {
    const qmp = await connectToQmp(({ execute, id }, socket) => {
      if (execute !== 'second') return
      reply(socket, { error: { class: 'GenericError', desc: 'JSON parse error' } })
      reply(socket, { return: 'fine', id })
    })
    const [first, second] = await Promise.allSettled([qmp.execute('first'), qmp.execute('second')])
    expect(first).toMatchObject({
      status: 'rejected',
      reason: { code: 'ERR_VMCG_QMP_COMMAND', command: 'first' },
    })
    expect(second).toEqual({ status: 'fulfilled', value: 'fine' })
  })

  test('that is aborted rejects with the reason, and its late answer hurts nobody', async () => {
    const controller = new AbortController()
    const qmp = await connectToQmp(({ execute, id }, socket) => {
      if (execute === 'slow') {
        controller.abort('enough')
        return
      }
      reply(socket, { error: { class: 'GenericError', desc: 'for the slow one' } })
      reply(socket, { return: 'fine', id })
    })
    await expect(qmp.execute('slow', {}, { signal: controller.signal })).rejects.toBe('enough')
    expect(await qmp.execute('next')).toBe('fine')
    await expect(qmp.execute('never', {}, { signal: controller.signal })).rejects.toBe('enough')
  })

  test('without an answer times out and closes the connection', async () => {
    const qmp = await connectToQmp(() => {})
    const other = qmp.execute('query-status')
    const timedOut = qmp.execute('device_add', {}, { timeoutMs: 50 })
    await expect(timedOut).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_TIMEOUT',
      message: expect.stringContaining('device_add'),
    })
    await expect(other).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_CLOSED',
      cause: { code: 'ERR_VMCG_QMP_TIMEOUT' },
    })
    await expect(qmp.execute('query-status')).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_CLOSED' })
  })

  test.each([
    ['the VMM hangs up', (socket: Socket) => socket.end(), 'ERR_VMCG_QMP_CLOSED'],
    ['garbage comes', (socket: Socket) => socket.write('garbage'), 'ERR_VMCG_QMP_PROTOCOL'],
  ])('rejects when %s, as does each one after it', async (_, fail, code) => {
    const qmp = await connectToQmp((__, socket) => fail(socket))
    await expect(qmp.execute('first')).rejects.toMatchObject({ code })
    await expect(qmp.execute('second')).rejects.toMatchObject({ code })
  })

  test('can be longer than a socket takes at once, and so can its answer', async () => {
    const long = 'x'.repeat(1024 * 1024)
    const qmp = await connectToQmp((command, socket) =>
      reply(socket, { return: command.arguments, id: command.id }),
    )
    expect(await qmp.execute('echo', { long })).toEqual({ long })
  })
})

describe('QMP events', () => {
  test('reach each stream that is open', async () => {
    const qmp = await connectToQmp(({ id }, socket) => {
      reply(socket, { event: 'STOP', timestamp: { seconds: 0, microseconds: 0 } })
      reply(socket, { return: {}, id })
    })
    const streams = [qmp.events(), qmp.events()]
    await qmp.execute('stop')
    for (const stream of streams) {
      expect((await stream.next()).value).toEqual({ event: 'STOP', data: {}, dropped: 0 })
    }
  })

  test('end with an error when the connection breaks, quietly when it is closed', async () => {
    const qmp = await connectToQmp((_, socket) => socket.end())
    const broken = qmp.events()
    await expect(qmp.execute('quit')).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_CLOSED' })
    await expect(broken.next()).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_CLOSED' })
    await expect(qmp.events().next()).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_CLOSED' })

    await monitor?.close()
    const other = await connectToQmp(() => {})
    const closed = other.events()
    await other.close()
    expect(await closed.next()).toEqual({ done: true, value: undefined })
  })

  test('cannot be queued without a bound', async () => {
    const qmp = await connectToQmp(() => {})
    for (const limit of [0, Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(() => qmp.events({ limit })).toThrow(
        expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }),
      )
    }
  })

  test('of an aborted stream are not awaited at all', async () => {
    const qmp = await connectToQmp(() => {})
    await expect(qmp.events({ signal: AbortSignal.abort('enough') }).next()).rejects.toBe('enough')
  })
})

describe('closing a QMP connection', () => {
  test('leaves a command of the same turn on its way, which the VMM carries out', async () => {
    let heard: (command: string) => void = () => undefined
    const said = new Promise<string>((resolve) => {
      heard = resolve
    })
    const qmp = await connectToQmp(({ execute }) => heard(execute))
    const quitting = qmp.execute('quit')
    await Promise.all([qmp.close(), expect(quitting).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_CLOSED' })])
    expect(await said).toBe('quit')
  })

  test('rejects what is in flight, and may be done twice', async () => {
    const qmp = await connectToQmp(() => {})
    const waiting = qmp.execute('query-status')
    const closing = Promise.all([qmp.close(), qmp.close()])
    await expect(waiting).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_CLOSED',
      message: expect.stringContaining('on this side'),
    })
    await closing
    await qmp.close()
  })

  test('ends it for the VMM as well', async () => {
    let seen: Socket | undefined
    const qmp = await connectTo((socket) => {
      seen = socket
      speakQmp(socket, () => {})
    })
    await qmp.close()
    if (seen?.closed === false) await once(seen, 'close')
    expect(seen?.closed).toBe(true)
  })

  test('releases the descriptor, also of a connection that failed', async () => {
    const openDescriptors = () => readdirSync('/proc/self/fd').length
    const before = openDescriptors()
    const { path: socket, close } = await fakeMonitor((peer) => peer.write('garbage'))
    for (let round = 0; round < 100; round++) {
      await expect(QmpClient.connect({ socket })).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_PROTOCOL' })
    }
    await close()
    expect(openDescriptors()).toBe(before)
  })
})
