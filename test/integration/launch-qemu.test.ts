import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spinRom } from '../../guest/spin-rom'
import { QemuHypervisor } from '../../src/hypervisor/qemu'
import type { LaunchOptions } from '../../src/launch-options'
import type { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import { everywhere, isAlive, placeOf, threadsIn, threadsOf } from '../support/cgroups'
import { ACCELERATOR, VCPU_NAME } from '../support/qemu'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'

const QEMU = 'qemu-system-x86_64'

/** Of the VMM but its vCPUs; nobody where the cgroup is not there, yet or any more. */
function threadsInside({ paths }: Sandbox): number[] {
  try {
    return threadsIn(paths.sandbox)
  } catch (error) {
    if (!['ENOENT', 'ENODEV'].includes(String(Reflect.get(Object(error), 'code')))) throw error
    return []
  }
}

describeWith(['root', 'cgroups', 'qemu'], 'launch, of a QEMU', () => {
  let bench: Bench
  let dir: string

  beforeEach(() => {
    bench = new Bench()
    dir = mkdtempSync(join(tmpdir(), 'vmcg-test-launch-'))
    writeFileSync(join(dir, 'spin.rom'), spinRom())
  })

  afterEach(async () => {
    await bench.clear()
    rmSync(dir, { recursive: true })
  })

  const limited = () =>
    bench.sandbox({ containers: [container({ quota: 50_000, period: 100_000, cpus: '0' })] })

  async function launch(
    sandbox: Sandbox,
    more: readonly string[] = [],
    options: LaunchOptions = {},
    accel: readonly string[] = ['-accel', ACCELERATOR],
  ) {
    const args = [
      ...[...accel, '-smp', '2', '-m', '32', '-nodefaults', '-no-user-config'],
      ...['-display', 'none', '-name', 'guest=vmcg-test,debug-threads=on', '-bios', join(dir, 'spin.rom')],
      ...more,
    ]
    const vm = await sandbox.launch(QEMU, args, options)
    bench.atEnd(async () => {
      vm.kill('SIGKILL')
      await vm.exited
    })
    return vm
  }

  function status({ hypervisor }: Sandbox): Promise<unknown> {
    if (!(hypervisor instanceof QemuHypervisor)) throw new Error('no QEMU is attached')
    return hypervisor.execute('query-status')
  }

  test('its vCPUs are in their place, all its other threads in theirs, and the guest runs', async () => {
    const sandbox = await limited()
    const { pid } = await launch(sandbox)
    const vcpus = threadsOf(pid).filter(({ name }) => VCPU_NAME.test(name))
    expect(vcpus).toHaveLength(2)
    for (const { tid } of vcpus) expect(placeOf(tid)).toEqual(everywhere(sandbox.paths.vcpu))
    expect(threadsIn(sandbox.paths.vcpu)).toEqual(vcpus.map(({ tid }) => tid).sort((a, b) => a - b))
    for (const { tid, name } of threadsOf(pid)) {
      if (!VCPU_NAME.test(name)) expect(placeOf(tid)).toEqual(everywhere(sandbox.paths.sandbox))
    }
    expect(await status(sandbox)).toMatchObject({ running: true, status: 'running' })
    expect((await sandbox.apply()).isChanged).toBe(false)
  })

  test('waits for somebody else to let it run when it was asked to by -S', async () => {
    const sandbox = await limited()
    await launch(sandbox, ['-S'])
    expect(await status(sandbox)).toMatchObject({ running: false })
    expect(threadsIn(sandbox.paths.vcpu)).toHaveLength(2)
  })

  test('its monitor is a socket that another object can attach by, and goes when it ends', async () => {
    const sandbox = await limited()
    const vm = await launch(sandbox)
    const folder = readdirSync(bench.stateDir).find((name) => name.endsWith('.sockets')) ?? ''
    const socket = join(bench.stateDir, folder, 'qmp')
    await sandbox.close()
    const again = await bench.sandbox()
    await again.attach(await QemuHypervisor.connect({ socket, pid: vm.pid, timeoutMs: patience(5000) }))
    expect((await again.refresh()).left).toEqual([])
    await again.kill()
    expect(await vm.exited).toEqual({ code: null, signal: 'SIGKILL' })
    expect(existsSync(join(bench.stateDir, folder))).toBe(false)
  })

  test('runs as another user, who cannot reach the directory of its monitor', async () => {
    chmodSync(dir, 0o755)
    const sandbox = await limited()
    // Whatever group /dev/kvm is in, TCG needs none.
    const { pid } = await launch(sandbox, ['-machine', 'accel=tcg'], { uid: 65534, gid: 65534, cwd: '/' }, [])
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534\t/m)
    expect(await status(sandbox)).toMatchObject({ running: true })
  })

  test('tells its own words when it does not start, and leaves nothing', async () => {
    const sandbox = await limited()
    const failed = sandbox.launch(QEMU, ['-nonsense'])
    await expect(failed).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
    await expect(failed).rejects.toThrow('-nonsense: invalid option')
    expect(sandbox.hypervisor).toBeUndefined()
    expect(await sandbox.threads()).toEqual([])
    expect(readdirSync(bench.stateDir).filter((name) => name.endsWith('.sockets'))).toEqual([])
  })

  test('is killed and forgotten when it does not answer', async () => {
    const sandbox = await limited()
    const failed = sandbox.launch('sleep', ['1000'], {
      hypervisor: 'qemu',
      timeoutMs: 300,
      stdio: 'ignore',
    })
    await expect(failed).rejects.toMatchObject({ name: expect.stringMatching(/Error$/) })
    expect(threadsInside(sandbox)).toEqual([])
  })

  test('is killed and forgotten when the launch is aborted', async () => {
    const sandbox = await limited()
    const stopping = new AbortController()
    const failed = launch(sandbox, [], { signal: stopping.signal })
    while (threadsInside(sandbox).length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    const tids = threadsInside(sandbox)
    stopping.abort('enough')
    await expect(failed).rejects.toBe('enough')
    expect(tids.filter(isAlive)).toEqual([])
  })
})
