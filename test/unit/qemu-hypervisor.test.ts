import { readdirSync } from 'node:fs'
import { QemuHypervisor } from '../../src/hypervisor/qemu'
import { type FakeMonitor, fakeMonitor, monitorWith, speakQmp } from '../support/fake-monitor'

// The "VMM" of these tests is this very process: its threads serve as vCPUs.

let monitor: FakeMonitor | undefined
let qemu: QemuHypervisor | undefined

afterEach(async () => {
  await qemu?.close()
  await monitor?.close()
  qemu = undefined
  monitor = undefined
})

async function connectTo(answers: Record<string, unknown>, pid?: number): Promise<QemuHypervisor> {
  monitor = await monitorWith((command) => answers[command])
  qemu = await QemuHypervisor.connect({ socket: monitor.path, pid })
  return qemu
}

function ownThreads(): number[] {
  return readdirSync('/proc/self/task').map(Number)
}

function vcpu(index: number, thread: number): object {
  return { 'cpu-index': index, 'thread-id': thread, props: { 'thread-id': 0 } }
}

/** The parent of this process: surely alive, and no thread of ours. */
const STRANGER = process.ppid

describe('a QEMU hypervisor', () => {
  test('takes the pid from the socket, and vCPUs and iothreads by their ids', async () => {
    const [first = 0, second = 0, third = 0] = ownThreads()
    const hypervisor = await connectTo({
      'query-cpus-fast': [vcpu(0, first), vcpu(2, second)],
      'query-iothreads': [{ id: 'io0', 'thread-id': third }],
    })
    const vcpus = new Map([
      [0, first],
      [2, second],
    ])
    expect(await hypervisor.threads()).toEqual({ vcpus, iothreads: new Map([['io0', third]]) })
    expect(hypervisor.pid()).toBe(process.pid)
    expect(hypervisor.name).toBe('qemu')
  })

  test('asks an old QEMU in the old way, which may know no iothreads', async () => {
    const old = await connectTo({ 'query-cpus': [{ CPU: 0, thread_id: process.pid }] })
    expect(await old.threads()).toEqual({ vcpus: new Map([[0, process.pid]]), iothreads: new Map() })
  })

  test('has no vCPU thread where QEMU reports none', async () => {
    const empty = await connectTo({ 'query-cpus-fast': [vcpu(0, 0)], 'query-iothreads': [] })
    expect(await empty.threads()).toEqual({ vcpus: new Map(), iothreads: new Map() })
  })

  test('refuses an answer of another shape', async () => {
    await expect(connectTo({ 'query-cpus-fast': [{}] })).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_PROTOCOL',
      message: expect.stringContaining('query-cpus-fast'),
    })
  })

  test('refuses a thread that is none of the process that listens', async () => {
    await expect(connectTo({ 'query-cpus-fast': [vcpu(3, STRANGER)] })).rejects.toMatchObject({
      name: 'QmpError',
      code: 'ERR_VMCG_QMP_WRONG_PID',
      message: expect.stringContaining(`thread ${STRANGER} of vCPU 3 is no thread of process ${process.pid}`),
      hint: expect.stringContaining("pass QEMU's own pid"),
    })
  })

  test('refuses an iothread that is none of the process that was named', async () => {
    const answers = { 'query-cpus-fast': [], 'query-iothreads': [{ id: 'io0', 'thread-id': process.pid }] }
    await expect(connectTo(answers, STRANGER)).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_WRONG_PID',
      message: expect.stringContaining('of iothread io0'),
      hint: expect.stringContaining('not that of a process that started it'),
    })
  })

  test('refuses a pid that names a thread, and tells the process', async () => {
    const thread = ownThreads().find((tid) => tid !== process.pid)
    await expect(connectTo({}, thread)).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_WRONG_PID',
      hint: `pass pid: ${process.pid}`,
    })
  })

  test('refuses a process that has ended while QEMU still answers', async () => {
    // Above any pid_max.
    await expect(connectTo({ 'query-cpus-fast': [] }, 2 ** 22 + 1)).rejects.toMatchObject({
      code: 'ERR_VMCG_QMP_WRONG_PID',
      message: expect.stringContaining('has ended, and yet QEMU answers'),
    })
  })

  test('tells a VMM that has ended from a connection that was closed', async () => {
    monitor = await fakeMonitor((client) => speakQmp(client, () => client.end()))
    const ended = QemuHypervisor.connect({ socket: monitor.path, pid: 2 ** 22 + 1 })
    await expect(ended).rejects.toMatchObject({
      code: 'ERR_VMCG_VM_GONE',
      cause: { code: 'ERR_VMCG_QMP_CLOSED' },
    })
    const alive = QemuHypervisor.connect({ socket: monitor.path })
    await expect(alive).rejects.toMatchObject({ code: 'ERR_VMCG_QMP_CLOSED' })
  })

  test('asks again when a vCPU has gone between the answer and the look', async () => {
    const answers = [[vcpu(0, process.pid), vcpu(1, STRANGER)], [vcpu(0, process.pid)]]
    monitor = await monitorWith((command) => (command === 'query-cpus-fast' ? (answers.shift() ?? []) : []))
    qemu = await QemuHypervisor.connect({ socket: monitor.path })
    expect(answers).toEqual([])
  })

  test.each([0, -1, 1.5, Number.NaN])('refuses %d for a pid', async (pid) => {
    await expect(QemuHypervisor.connect({ socket: '/nowhere', pid })).rejects.toMatchObject({
      code: 'ERR_VMCG_INVALID_ARGUMENT',
    })
  })

  test('rejects with the reason when it is aborted', async () => {
    const hypervisor = await connectTo({ 'query-cpus-fast': [] })
    await expect(hypervisor.threads({ signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
  })
})
