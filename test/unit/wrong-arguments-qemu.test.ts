import { QemuHypervisor } from '../../src/hypervisor/qemu'
import { type FakeMonitor, monitorWith } from '../support/fake-monitor'
import { callMethod, sinksOf, strayErrors } from '../support/wrong-arguments'

let monitor: FakeMonitor
let qemu: QemuHypervisor

beforeEach(async () => {
  monitor = await monitorWith((command) => (command === 'query-cpus-fast' ? [] : undefined))
  qemu = await QemuHypervisor.connect({ socket: monitor.path })
})
afterEach(async () => {
  await qemu.close()
  await monitor.close()
})

const connect = async (args: readonly unknown[]) => {
  const options = Object(args[0])
  const isWhole = args[0] === options && !('socket' in options)
  const other = callMethod(QemuHypervisor, 'connect', isWhole ? [{ socket: monitor.path, ...options }] : args)
  await (await (other as Promise<QemuHypervisor>)).close()
}
const method = (name: string) => (args: readonly unknown[]) => callMethod(qemu, name, args)

const sinks = [
  ...sinksOf('connect', connect, [{}], ['socket', 'pid', 'timeoutMs', 'commandTimeoutMs', 'signal']),
  ...sinksOf('threads', method('threads'), [{}], ['signal']),
  ...sinksOf('execute', method('execute'), ['stop', {}, {}], ['timeoutMs', 'signal']),
  ...sinksOf('events', method('events'), [{}], ['limit', 'signal']),
]

it.each(sinks.map((sink) => [sink.name, sink] as const))(
  'whatever is wrong is told by an error of vmcg: %s',
  async (_, sink) => {
    expect(await strayErrors(sink)).toEqual({})
  },
)

it('says that arguments of a command cannot be sent, and goes on', async () => {
  await expect(qemu.execute('device_add', { id: 1n })).rejects.toMatchObject({
    code: 'ERR_VMCG_INVALID_ARGUMENT',
    message: 'the arguments of device_add cannot be written as JSON',
  })
  expect((await qemu.threads()).vcpus.size).toBe(0)
})
