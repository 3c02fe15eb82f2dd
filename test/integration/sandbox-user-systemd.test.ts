import { readProcessCgroups } from '../../src/host/process'
import { Sandbox } from '../../src/sandbox'
import type { SandboxOptions } from '../../src/sandbox-options'
import { Bench, container } from '../support/bench'
import { isAlive, readKnob, threadsIn, threadsOf } from '../support/cgroups'
import { VCPU_NAME } from '../support/qemu'
import { describeWith } from '../support/require'
import { unitsLeft } from '../support/units-left'

const PREFIX = `vmcg-test-${process.pid}`
const UNIT = `${PREFIX}-vm.scope`

describeWith(['user-systemd', 'cgroup-v2', 'qemu'], "a sandbox in a scope of a user's own systemd", () => {
  let bench: Bench

  beforeEach(() => {
    bench = new Bench()
  })

  afterEach(async () => {
    await bench.clear()
    expect(await unitsLeft(PREFIX, '--user')).toBe('')
  })

  const sandboxWith = (options: Partial<SandboxOptions>) =>
    bench.sandbox({ parent: `app.slice:${PREFIX}`, ...options })
  const quota = container({ quota: 50_000, period: 100_000 })

  const cgroupOf = (pid: number) =>
    readProcessCgroups(pid)?.find(({ hierarchyId }) => hierarchyId === 0)?.path

  test('is in app.slice, holds the vCPUs of a QEMU to their quota, and gives it back', async () => {
    const sandbox = await sandboxWith({ containers: [quota] })
    const uid = process.geteuid?.()
    const scope = `/user.slice/user-${uid}.slice/user@${uid}.service/app.slice/${UNIT}`
    expect(sandbox.paths.sandbox).toBe(`${scope}/vm`)
    const qemu = await bench.qemu({ smp: 2 })
    const before = cgroupOf(qemu.pid)
    await sandbox.attach(await bench.connect(qemu))
    await sandbox.apply()
    expect(cgroupOf(qemu.pid)).toBe(sandbox.paths.sandbox)
    const vcpus = threadsOf(qemu.pid).filter(({ name }) => VCPU_NAME.test(name))
    expect(threadsIn(sandbox.paths.vcpu)).toEqual(vcpus.map(({ tid }) => tid).sort((a, b) => a - b))
    expect(readKnob('cpu', sandbox.paths.vcpu, 'cpu.max')).toBe('50000 100000')
    expect((await sandbox.apply()).isChanged).toBe(false)
    await sandbox.destroy()
    expect(isAlive(qemu.pid)).toBe(true)
    expect(cgroupOf(qemu.pid)).toBe(before)
  })

  test('is where a program is launched, with memory and pids held as well', async () => {
    const resources = { memory: { limit: 64 * 1024 * 1024 }, pids: { limit: 50 } }
    const sandbox = await sandboxWith({
      containers: [{ id: 'c1', spec: { linux: { resources } } }],
      memoryOverheadBytes: 0,
    })
    const vm = await sandbox.launch('sleep', ['infinity'], { stdio: 'ignore' })
    expect(cgroupOf(vm.pid)).toBe(sandbox.paths.sandbox)
    expect(readKnob('memory', sandbox.paths.sandbox, 'memory.max')).toBe(String(64 * 1024 * 1024))
    const again = await Sandbox.load('vm', { parent: `app.slice:${PREFIX}`, stateDir: bench.stateDir })
    bench.atEnd(() => again.close())
    expect((await again.apply()).isChanged).toBe(false)
    await again.destroy({ processes: 'kill' })
    await vm.exited
  })

  test('takes in a process that systemd alone may move, and does not give it back to where it may not', async () => {
    const outsider = Number(process.env['VMCG_OUTSIDER'])
    expect(cgroupOf(outsider)).not.toContain('/user@')
    const sandbox = await sandboxWith({ containers: [quota] })
    const vm = await sandbox.launch('sleep', ['infinity'], { stdio: 'ignore' })
    await sandbox.add(outsider)
    expect(cgroupOf(outsider)).toBe(sandbox.paths.sandbox)
    await expect(sandbox.destroy()).rejects.toMatchObject({ code: 'ERR_VMCG_BUSY' })
    await sandbox.destroy({ processes: 'kill' })
    await vm.exited
  })

  test('says which controller systemd has not handed to the user', async () => {
    const sandbox = await sandboxWith({ containers: [container({ cpus: '0' })] })
    const launch = sandbox.launch('sleep', ['infinity'], { stdio: 'ignore' })
    await expect(launch).rejects.toMatchObject({
      code: 'ERR_VMCG_NO_CONTROLLER',
      message: expect.stringContaining('cpuset'),
      hint: expect.stringContaining('Delegate='),
    })
  })
})
