import { readdirSync, readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { QemuHypervisor, type QemuOptions } from '../../src/hypervisor/qemu'
import { parseCpusFast } from '../../src/hypervisor/qemu-replies'
import { QmpClient } from '../../src/hypervisor/qmp-client'
import { fakeMonitor } from '../support/fake-monitor'
import { type Qemu, type QemuSettings, startQemu, vcpuName } from '../support/qemu'
import { describeWith } from '../support/require'
import { patience, rounds } from '../support/scale'

jest.setTimeout(patience(90_000))

let vm: Qemu | undefined
const clients: { close(): Promise<void> }[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await vm?.kill()
  vm = undefined
})

async function start(settings?: QemuSettings): Promise<Qemu> {
  vm = await startQemu(settings)
  return vm
}

/** Remembers the client, so that it is closed when the test is over. */
function closing<T extends { close(): Promise<void> }>(client: T): T {
  clients.push(client)
  return client
}

async function hypervisorOf({ sockets }: Qemu, options: Partial<QemuOptions> = {}): Promise<QemuHypervisor> {
  return closing(await QemuHypervisor.connect({ socket: sockets[0], timeoutMs: patience(5000), ...options }))
}

async function clientOf({ sockets }: Qemu, timeoutMs = patience(5000)): Promise<QmpClient> {
  return closing(await QmpClient.connect({ socket: sockets[0], timeoutMs }))
}

function commOf(pid: number, tid: number | undefined): string {
  return readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim()
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}

describeWith(['qemu'], 'QEMU', () => {
  test('has a thread for each vCPU and each iothread, all of its own process', async () => {
    const qemu = await start({ iothreads: 1 })
    await qemu.waitForSpin()
    const hypervisor = await hypervisorOf(qemu)
    expect(hypervisor.pid()).toBe(qemu.pid)
    const { vcpus, iothreads } = await hypervisor.threads()
    expect([...vcpus.keys()].sort()).toEqual([0, 1, 2, 3])
    expect([...iothreads.keys()]).toEqual(['iothread0'])
    expect(new Set([...vcpus.values(), ...iothreads.values()]).size).toBe(5)
    for (const [index, tid] of vcpus) expect(commOf(qemu.pid, tid)).toMatch(vcpuName(index))
    expect(commOf(qemu.pid, iothreads.get('iothread0'))).toBe('IO iothread0')
  })

  test('shows a vCPU as soon as it is plugged in, also where that leaves a gap', async () => {
    const hypervisor = await hypervisorOf(await start({ smp: 1, maxcpus: 4 }))
    expect([...(await hypervisor.threads()).vcpus.keys()]).toEqual([0])
    await hypervisor.execute('device_add', {
      driver: 'qemu64-x86_64-cpu',
      id: 'cpu2',
      'socket-id': 0,
      'core-id': 2,
      'thread-id': 0,
    })
    const { vcpus } = await hypervisor.threads()
    expect([...vcpus.keys()].sort()).toEqual([0, 2])
    expect(commOf(hypervisor.pid(), vcpus.get(2))).toMatch(vcpuName(2))
  })

  test('has its vCPU threads already while it waits to be started (-S)', async () => {
    const hypervisor = await hypervisorOf(await start({ args: ['-S'] }))
    expect(await hypervisor.execute('query-status')).toMatchObject({ status: 'prelaunch' })
    expect((await hypervisor.threads()).vcpus.size).toBe(4)
  })

  test('may print its answers over many lines', async () => {
    const hypervisor = await hypervisorOf(await start({ monitorOptions: ',pretty=on' }))
    expect((await hypervisor.threads()).vcpus.size).toBe(4)
  })

  test('may give an answer of 200 KB', async () => {
    const client = await clientOf(await start())
    expect(JSON.stringify(await client.execute('query-qmp-schema')).length).toBeGreaterThan(100_000)
  })

  test('refuses a command in its own words, and goes on', async () => {
    const hypervisor = await hypervisorOf(await start())
    await expect(hypervisor.execute('device_del', { id: 'nobody' })).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_COMMAND',
      class: 'DeviceNotFound',
    })
    await expect(hypervisor.execute('query-status', { fast: true })).rejects.toMatchObject({
      class: 'GenericError',
    })
    expect(await hypervisor.execute('query-status')).toMatchObject({ running: true })
  })

  test('tells of STOP and RESUME, in this order, on each monitor', async () => {
    const qemu = await start({ monitors: 2 })
    const acting = await clientOf(qemu)
    const watching = closing(
      await QmpClient.connect({ socket: qemu.sockets[1] ?? '', timeoutMs: patience(5000) }),
    )
    const events = watching.events()
    await acting.execute('stop')
    await acting.execute('cont')
    expect((await events.next()).value).toMatchObject({ event: 'STOP' })
    expect((await events.next()).value).toMatchObject({ event: 'RESUME' })
  })
})

// Without KVM it kills QEMU 7.2.
describeWith(['qemu', 'kvm'], 'QEMU under KVM', () => {
  test('lets go of an unplugged vCPU, and its events say when', async () => {
    const hypervisor = await hypervisorOf(await start({ smp: 1, maxcpus: 2 }))
    await vm?.waitForSpin()
    const events = hypervisor.events({ signal: AbortSignal.timeout(60_000) })
    const cpu = { driver: 'qemu64-x86_64-cpu', id: 'cpu1', 'socket-id': 0, 'core-id': 1, 'thread-id': 0 }
    await hypervisor.execute('device_add', cpu)
    for await (const { event } of events) if (event === 'ACPI_DEVICE_OST') break
    const deletions = hypervisor.events({ signal: AbortSignal.timeout(60_000) })
    await hypervisor.execute('device_del', { id: 'cpu1' })
    for await (const { event, data } of deletions) {
      if (event === 'DEVICE_DELETED' && data['device'] === 'cpu1') break
    }
    expect([...(await hypervisor.threads()).vcpus.keys()]).toEqual([0])
  })
})

describeWith(['qemu'], 'QEMU without KVM', () => {
  test('has a thread for each vCPU with thread=multi', async () => {
    const hypervisor = await hypervisorOf(await start({ accel: 'tcg,thread=multi' }))
    const { vcpus } = await hypervisor.threads()
    expect(new Set(vcpus.values()).size).toBe(4)
  })

  test('has one thread for all vCPUs with thread=single', async () => {
    const hypervisor = await hypervisorOf(await start({ accel: 'tcg,thread=single' }))
    const { vcpus } = await hypervisor.threads()
    expect([...vcpus.keys()].sort()).toEqual([0, 1, 2, 3])
    expect(new Set(vcpus.values()).size).toBe(1)
  })
})

describeWith(['qemu'], 'the monitor of a QEMU', () => {
  test('is in use while another client holds it, and free when that one leaves', async () => {
    const qemu = await start()
    const holder = await clientOf(qemu)
    await expect(QmpClient.connect({ socket: qemu.sockets[0], timeoutMs: 200 })).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_IN_USE',
    })
    await holder.close()
    const next = await clientOf(qemu)
    expect(await next.execute('query-status')).toMatchObject({ running: true })
  })

  test('greets a client that waited for its turn', async () => {
    const qemu = await start()
    const holder = await clientOf(qemu)
    const waiting = clientOf(qemu)
    await holder.close()
    expect(await (await waiting).execute('query-status')).toMatchObject({ running: true })
  })

  test('is in use when its backlog is full as well', async () => {
    const qemu = await start()
    await clientOf(qemu)
    const giveUp = new AbortController()
    const attempts = Array.from({ length: 8 }, () =>
      QmpClient.connect({ socket: qemu.sockets[0], signal: giveUp.signal }),
    )
    await expect(Promise.race(attempts)).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_IN_USE',
      syscall: 'connect',
    })
    giveUp.abort()
    await Promise.allSettled(attempts)
  })

  test('is closed when QEMU is killed, and then refuses', async () => {
    const qemu = await start({ args: ['-S'] })
    const hypervisor = await hypervisorOf(qemu)
    const events = hypervisor.events()
    process.kill(qemu.pid, 'SIGKILL')
    await expect(events.next()).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_CLOSED' })
    await expect(hypervisor.execute('query-status')).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_CLOSED' })
    await expect(hypervisor.threads()).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
    // The listening socket closes a little after the connections.
    await qemu.ended
    const socket = qemu.sockets[0]
    await expect(QmpClient.connect({ socket })).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_REFUSED' })
    await qemu.kill()
    await expect(QmpClient.connect({ socket })).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_NO_SOCKET' })
  })

  test('says SHUTDOWN before a QEMU that is told to quit closes it', async () => {
    const hypervisor = await hypervisorOf(await start())
    const events = hypervisor.events()
    // Either the answer or the end comes first.
    await hypervisor
      .execute('quit')
      .catch((error) => expect(error).toMatchObject({ code: 'ERR_VMCG_QMP_CLOSED' }))
    expect((await events.next()).value).toMatchObject({
      event: 'SHUTDOWN',
      data: { reason: 'host-qmp-quit' },
    })
    await expect(events.next()).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_CLOSED' })
    await expect(hypervisor.threads()).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
  })

  test('times out while QEMU is stopped', async () => {
    const qemu = await start()
    const hypervisor = await hypervisorOf(qemu)
    process.kill(qemu.pid, 'SIGSTOP')
    const late = hypervisor.execute('query-status', undefined, { timeoutMs: 200 })
    await expect(late).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_TIMEOUT' })
    process.kill(qemu.pid, 'SIGCONT')
    expect((await (await hypervisorOf(qemu)).threads()).vcpus.size).toBe(4)
  })

  test('leaks no descriptor over 200 connections', async () => {
    const qemu = await start()
    const connectAndClose = async () =>
      (await QemuHypervisor.connect({ socket: qemu.sockets[0], timeoutMs: patience(5000) })).close()
    await connectAndClose()
    const before = openDescriptors()
    for (let round = 0; round < rounds(200); round++) await connectAndClose()
    expect(openDescriptors()).toBe(before)
  })
})

describeWith(['qemu'], "a QEMU's process id", () => {
  test('may be told, and is checked against its threads', async () => {
    const qemu = await start()
    expect((await hypervisorOf(qemu, { pid: qemu.pid })).pid()).toBe(qemu.pid)
    await clients.pop()?.close()
    await expect(hypervisorOf(qemu, { pid: process.pid })).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_WRONG_PID',
      message: expect.stringContaining(`is no thread of process ${process.pid}`),
    })
  })

  test('has to be told where a proxy listens in its place', async () => {
    const qemu = await start()
    const proxy = closing(
      await fakeMonitor((client) => {
        const upstream = createConnection(qemu.sockets[0])
        client.on('close', () => upstream.destroy())
        client.pipe(upstream).pipe(client)
      }),
    )
    const direct = hypervisorOf(qemu, { socket: proxy.path })
    await expect(direct).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_WRONG_PID',
      hint: expect.stringContaining('perhaps a proxy'),
    })
    const told = await hypervisorOf(qemu, { socket: proxy.path, pid: qemu.pid })
    expect((await told.threads()).vcpus.size).toBe(4)
  })
})

describeWith(['qemu', 'unshare', 'root'], 'a QEMU in a pid namespace of its own', () => {
  test("has its own thread ids mapped to this host's", async () => {
    const qemu = await start({ unshare: true, iothreads: 1 })
    const hypervisor = await hypervisorOf(qemu)
    const reported = parseCpusFast(await hypervisor.execute('query-cpus-fast'))
    expect(Math.max(...reported.values())).toBeLessThan(100)

    expect(hypervisor.pid()).toBe(qemu.pid)
    const { vcpus, iothreads } = await hypervisor.threads()
    for (const [index, tid] of vcpus) expect(commOf(qemu.pid, tid)).toMatch(vcpuName(index))
    expect(vcpus.size).toBe(4)
    expect(commOf(qemu.pid, iothreads.get('iothread0'))).toBe('IO iothread0')
  })
})
