import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { spinRom } from '../../guest/spin-rom'
import { detectHost } from '../../src/host/detect'
import { readProcessCgroups } from '../../src/host/process'
import { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import { isAlive, threadsIn, threadsOf } from '../support/cgroups'
import { untilScopeIsGone } from '../support/driver'
import { ACCELERATOR, VCPU_NAME } from '../support/qemu'
import { describeWith } from '../support/require'
import { waitFor } from '../support/residents'
import { rounds } from '../support/scale'
import { unitsLeft, untilUnitIsGone } from '../support/units-left'

const run = promisify(execFile)
const PREFIX = `vmcg-test-${process.pid}`
const SLICE = 'system.slice'
const UNIT = `${PREFIX}-vm.scope`
const SCOPE = `/${SLICE}/${UNIT}`

/** What is written of v1 and v2, where it is there. */
const LIMITS = [
  ...['cgroup.type', 'cgroup.subtree_control', 'cpu.max', 'cpu.weight', 'cpuset.cpus', 'cpuset.mems'],
  ...['memory.max', 'pids.max', 'cpu.cfs_quota_us', 'cpu.cfs_period_us', 'memory.limit_in_bytes'],
  'devices.list',
]
const MEMBERS = ['cgroup.threads', 'tasks']

describeWith(['root', 'cgroups', 'systemd', 'qemu'], 'a sandbox in a scope of systemd', () => {
  let bench: Bench

  beforeEach(() => {
    bench = new Bench()
  })

  afterEach(async () => {
    await bench.clear()
    expect(await unitsLeft(PREFIX)).toBe('')
  })

  const limited = () =>
    bench.sandbox({
      parent: `${SLICE}:${PREFIX}`,
      containers: [container({ quota: 50_000, period: 100_000 })],
    })

  async function attached() {
    const sandbox = await limited()
    const qemu = await bench.qemu()
    await sandbox.attach(await bench.connect(qemu))
    return { sandbox, qemu }
  }

  /** In the hierarchy of the cpu controller. */
  function cpuPathOf(pid: number): string | undefined {
    const cgroups = readProcessCgroups(pid) ?? []
    const v1 = cgroups.find(({ controllers }) => controllers.includes('cpu'))
    return (v1 ?? cgroups.find(({ hierarchyId }) => hierarchyId === 0))?.path
  }

  function quota(sandbox: Sandbox): string {
    const cpu = detectHost().controller('cpu')
    const leaf = `${cpu?.mountPoint}${sandbox.paths.vcpu}`
    const file = cpu?.version === 2 ? 'cpu.max' : 'cpu.cfs_quota_us'
    return readFileSync(join(leaf, file), 'utf8').trim()
  }

  /** Limits and layout of the sandbox, and who is in its leaf. */
  function written({ paths }: Sandbox): Record<string, string> {
    const files = detectHost().hierarchies.flatMap(({ mountPoint }) => [
      ...LIMITS.flatMap((name) => [
        `${mountPoint}${paths.sandbox}/${name}`,
        `${mountPoint}${paths.vcpu}/${name}`,
      ]),
      ...MEMBERS.map((name) => `${mountPoint}${paths.vcpu}/${name}`),
    ])
    return Object.fromEntries(
      files.filter((file) => existsSync(file)).map((file) => [file, readFileSync(file, 'utf8')]),
    )
  }

  /** What a process leaves behind that ends before it has written it. */
  function rewriteState(change: (state: Record<string, unknown>) => Record<string, unknown>): void {
    const { stateDir } = bench
    const file = join(stateDir, readdirSync(stateDir).find((name) => name.endsWith('.json')) ?? '')
    const state: Record<string, unknown> = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, JSON.stringify({ ...state, ...change(state) }))
  }

  test('is only meant until a VMM comes', async () => {
    const sandbox = await limited()
    expect(sandbox.paths.sandbox).toBe(`${SCOPE}/vm`)
    await expect(sandbox.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_NOT_ATTACHED', value: UNIT })
    await sandbox.destroy()
  })

  test('holds the VMM in a unit that systemd knows, and its vCPUs to their quota', async () => {
    const { sandbox, qemu } = await attached()
    await sandbox.apply()
    expect(cpuPathOf(qemu.pid)).toContain(`${SCOPE}/vm`)
    expect(quota(sandbox)).toMatch(/^50000/)
    const { stdout } = await run('systemctl', [
      'show',
      UNIT,
      '-p',
      'ActiveState,Delegate,Description',
      '--value',
    ])
    const description = expect.stringMatching(/^vmcg sandbox vm \([0-9a-f]{8}\)$/)
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(['active', 'yes', description]))
    expect((await sandbox.apply()).isChanged).toBe(false)
    await sandbox.destroy()
    expect(isAlive(qemu.pid)).toBe(true)
  })

  test('stays as it is when systemd reloads, starts itself anew, and sets what is around it', async () => {
    const { sandbox, qemu } = await attached()
    await sandbox.apply()
    const before = written(sandbox)
    expect(Object.keys(before)).not.toHaveLength(0)
    for (let round = 0; round < rounds(20, 4); round += 1) await run('systemctl', ['daemon-reload'])
    expect(written(sandbox)).toEqual(before)
    await run('systemctl', ['daemon-reexec'])
    await run('systemctl', ['set-property', '--runtime', SLICE, 'CPUWeight=100'])
    expect(written(sandbox)).toEqual(before)
    expect(cpuPathOf(qemu.pid)).toContain(`${SCOPE}/vm`)
    expect((await sandbox.apply()).isChanged).toBe(false)
    await sandbox.destroy()
  })

  test('needs no unit: one beside systemd keeps its limits through reloads', async () => {
    const sandbox = await bench.sandbox({
      containers: [container({ quota: 50_000, period: 100_000, cpus: '0' })],
    })
    const qemu = await bench.qemu()
    await sandbox.attach(await bench.connect(qemu))
    await sandbox.apply()
    const before = written(sandbox)
    for (let round = 0; round < rounds(20, 2); round += 1) await run('systemctl', ['daemon-reload'])
    await run('systemctl', ['daemon-reexec'])
    await sandbox.apply()
    expect(written(sandbox)).toEqual(before)
    await sandbox.destroy()
  })

  test("is shown by systemd's own tools, with everybody in it", async () => {
    const { sandbox, qemu } = await attached()
    await sandbox.apply()
    const { stdout: status } = await run('systemctl', ['status', '--no-pager', '--full', UNIT])
    expect(status).toContain('vmcg sandbox vm')
    expect(status).toContain('Active: active (running)')
    const { stdout: tree } = await run('systemd-cgls', ['--no-pager', '--full', '--unit', UNIT])
    // On v1 systemd looks into a hierarchy of its own, where there is the unit alone.
    const between = detectHost().layout === 'v2' ? '─vm(?: \\(#\\d+\\))?\n[^]*' : ''
    for (const shown of [status, tree]) {
      expect(shown).toMatch(new RegExp(`${between}─${qemu.pid} .*qemu`))
    }
    const { stdout: top } = await run('systemd-cgtop', ['--batch', '--iterations=1', '--depth=4', '--raw'])
    expect(top).toMatch(new RegExp(`^${SCOPE.slice(1)} +\\d`, 'm'))
    await sandbox.destroy()
  })

  test('is gone with its VMM, says so, and can still be destroyed', async () => {
    const { sandbox, qemu } = await attached()
    await sandbox.apply()
    await qemu.kill()
    await untilScopeIsGone(SCOPE)
    await expect(sandbox.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
    await sandbox.destroy()
  })

  test('is taken up by another object', async () => {
    const { sandbox } = await attached()
    await sandbox.apply()
    const { stateDir } = bench
    const again = await Sandbox.load('vm', { parent: `${SLICE}:${PREFIX}`, stateDir })
    bench.atEnd(() => again.close())
    expect((await again.apply()).isChanged).toBe(false)
    await again.destroy({ processes: 'kill' })
  })

  test('is where a program is launched, which waits for it', async () => {
    const sandbox = await limited()
    const vm = await sandbox.launch('sleep', ['infinity'], { stdio: 'ignore' })
    expect(cpuPathOf(vm.pid)).toContain(`${SCOPE}/vm`)
    await sandbox.destroy({ processes: 'kill' })
    await vm.exited
  })

  test('is where a QEMU is launched, whose vCPUs are in their leaf before they run', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'vmcg-test-systemd-'))
    bench.atEnd(async () => rmSync(directory, { recursive: true }))
    const bios = join(directory, 'spin.rom')
    writeFileSync(bios, spinRom())
    const sandbox = await limited()
    const vm = await sandbox.launch('qemu-system-x86_64', [
      ...['-accel', ACCELERATOR, '-smp', '2', '-m', '32', '-nodefaults', '-no-user-config'],
      ...['-display', 'none', '-name', 'guest=vmcg-test,debug-threads=on', '-bios', bios],
    ])
    const vcpus = threadsOf(vm.pid).filter(({ name }) => VCPU_NAME.test(name))
    expect(vcpus).toHaveLength(2)
    expect(threadsIn(sandbox.paths.vcpu)).toEqual(vcpus.map(({ tid }) => tid).sort((a, b) => a - b))
    expect(cpuPathOf(vm.pid)).toContain(`${SCOPE}/vm`)
    await sandbox.destroy({ processes: 'kill' })
    await vm.exited
  })

  test('takes another VMM in while a helper of the one before is there', async () => {
    const { sandbox, qemu } = await attached()
    const helper = await bench.standIn()
    await sandbox.add(helper.pid)
    await sandbox.apply()
    await qemu.kill()
    const next = await bench.qemu()
    await sandbox.attach(await bench.connect(next))
    expect((await sandbox.apply()).left).toEqual([])
    for (const { pid } of [helper, next]) expect(cpuPathOf(pid)).toContain(`${SCOPE}/vm`)
    await sandbox.destroy()
    for (const { pid } of [helper, next]) expect(isAlive(pid)).toBe(true)
  })

  test('leaves another unit alone that has its name by now, and who is in it', async () => {
    const { sandbox, qemu } = await attached()
    await sandbox.apply()
    await qemu.kill()
    await untilUnitIsGone(UNIT)
    const stranger = spawn('systemd-run', ['--scope', '--quiet', `--unit=${UNIT}`, 'sleep', '1000'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const ended = once(stranger, 'exit')
    bench.atEnd(async () => {
      stranger.kill('SIGKILL')
      await ended
      await untilUnitIsGone(UNIT)
    })
    await waitFor('the unit of a stranger', () => cpuPathOf(stranger.pid ?? 0)?.includes(UNIT) === true)
    await sandbox.destroy({ processes: 'kill' })
    expect(isAlive(stranger.pid ?? 0)).toBe(true)
    expect(cpuPathOf(stranger.pid ?? 0)).toContain(UNIT)
  })

  test('is killed also while it is frozen, and takes nobody in until it is thawed', async () => {
    const { sandbox, qemu } = await attached()
    const helper = await bench.standIn()
    await sandbox.add(helper.pid)
    await sandbox.apply()
    // On v1 the freezer's cgroup is made by the first freeze, which asks the VMM for its threads.
    await sandbox.freeze()
    await sandbox.thaw()
    await qemu.kill()
    await sandbox.freeze()
    await expect(sandbox.launch('sleep', ['infinity'])).rejects.toMatchObject({ code: 'ERR_VMCG_BUSY' })
    await sandbox.kill()
    expect(isAlive(helper.pid)).toBe(false)
    await sandbox.destroy()
  })

  test('is gone on with where whoever started it ended in the middle', async () => {
    const { sandbox, qemu } = await attached()
    const own = sandbox.paths.sandbox
    await sandbox.close()
    // As systemd leaves it: in the unit's own cgroup.
    for (const { mountPoint, version, controllers } of detectHost().hierarchies) {
      if (version === 1 || controllers.length === 0) continue
      writeFileSync(`${mountPoint}${SCOPE}/cgroup.procs`, String(qemu.pid))
      rmdirSync(`${mountPoint}${own}`)
    }
    rewriteState(({ scope }) => ({
      claimed: [],
      scope: { ...Object(scope), hierarchies: [], invocationId: null, isStarting: true },
    }))
    const again = await limited()
    await again.attach(await bench.connect(qemu))
    expect((await again.apply()).left).toEqual([])
    expect(cpuPathOf(qemu.pid)).toContain(`${SCOPE}/vm`)
    await again.destroy()
    expect(isAlive(qemu.pid)).toBe(true)
  })

  test('is found again when whoever started it ended before that was written down', async () => {
    const { sandbox, qemu } = await attached()
    await sandbox.close()
    rewriteState(({ scope }) => ({
      scope: { ...Object(scope), hierarchies: [], invocationId: null, isStarting: true },
    }))
    const { stateDir } = bench
    const again = await Sandbox.load('vm', { parent: `${SLICE}:${PREFIX}`, stateDir })
    bench.atEnd(() => again.close())
    await again.destroy({ processes: 'kill' })
    expect(isAlive(qemu.pid)).toBe(false)
    expect(await unitsLeft(PREFIX)).toBe('')
  })
})
