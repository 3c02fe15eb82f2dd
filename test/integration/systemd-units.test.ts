import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readProcessCgroups } from '../../src/host/process'
import type { ScopeRequest } from '../../src/systemd/scope-properties'
import { SystemdUnits } from '../../src/systemd/systemd-units'
import { describeWith } from '../support/require'
import { patience, rounds } from '../support/scale'
import { unitsLeft } from '../support/units-left'

const run = promisify(execFile)
const SLICE = 'system.slice'
const PREFIX = `vmcg-test-${process.pid}`
const PRIVATE = { socket: '/run/systemd/private', isPeer: true }

interface Resident {
  readonly pid: number
  readonly ended: Promise<unknown>
}

const residents: Resident[] = []
const opened: SystemdUnits[] = []
let count = 0

/** A process that waits to be killed. */
async function startResident(): Promise<Resident> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'sleep', 'infinity'], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await once(child, 'spawn')
  if (child.pid === undefined) throw new Error('a process that was spawned has no pid')
  const resident = { pid: child.pid, ended }
  residents.push(resident)
  return resident
}

async function endResident({ pid, ended }: Resident): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
  await ended
}

function requestFor(...pids: readonly number[]): ScopeRequest {
  count += 1
  return { unit: `${PREFIX}-${count}.scope`, slice: SLICE, pids, description: `vmcg test ${count}` }
}

async function open(options = {}): Promise<SystemdUnits> {
  const units = await SystemdUnits.open({ timeoutMs: patience(30_000), ...options })
  opened.push(units)
  return units
}

/** Of systemd's own hierarchy, which every boot has. */
function systemdPathOf(pid: number): string | undefined {
  return readProcessCgroups(pid)?.find(
    ({ controllers, hierarchyId }) => controllers.includes('name=systemd') || hierarchyId === 0,
  )?.path
}

async function waitUntilGone(units: SystemdUnits, unit: string): Promise<void> {
  const deadline = Date.now() + patience(10_000)
  while ((await units.look(unit)) !== undefined) {
    if (Date.now() > deadline) throw new Error(`${unit} does not go`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describeWith(['root', 'systemd', 'setpriv'], 'a scope of a real systemd', () => {
  afterEach(async () => {
    for (const resident of residents.splice(0)) await endResident(resident)
    for (const units of opened.splice(0)) units.close()
  })

  afterAll(async () => expect(await unitsLeft(PREFIX)).toBe(''))

  test.each([
    ['over the system bus', {}],
    ['over the socket of PID 1', { addresses: [PRIVATE] }],
  ])('holds its process, and ends it when it is stopped, %s', async (_name, options) => {
    const units = await open(options)
    const { pid, ended } = await startResident()
    const request = requestFor(pid)
    const scope = await units.startScope(request)
    expect(scope.controlGroup).toBe(`/${SLICE}/${request.unit}`)
    expect(systemdPathOf(pid)).toBe(scope.controlGroup)
    expect(scope.cgroups.length).toBeGreaterThan(0)
    expect(await units.look(request.unit)).toMatchObject({
      description: request.description,
      activeState: 'active',
      subState: 'running',
      invocationId: scope.invocationId,
      job: undefined,
    })
    await expect(units.stop(scope)).resolves.toBe(true)
    await ended
    await expect(units.look(request.unit)).resolves.toBeUndefined()
    await expect(units.stop(scope)).resolves.toBe(false)
  })

  test('is told by the version that systemd has', async () => {
    const units = await open()
    const { stdout } = await run('systemctl', ['--version'])
    const [, major = ''] = /^systemd (\d+)/.exec(stdout) ?? []
    expect(await units.version()).toMatch(new RegExp(`^${major}`))
  })

  test('goes by itself when its process ends', async () => {
    const units = await open()
    const resident = await startResident()
    const { unit } = await units.startScope(requestFor(resident.pid))
    await endResident(resident)
    await waitUntilGone(units, unit)
  })

  test('is taken up by the same request, and refused to another', async () => {
    const units = await open()
    const { pid } = await startResident()
    const other = await startResident()
    const request = requestFor(pid)
    const first = await units.startScope(request)
    await expect(units.startScope(request)).resolves.toEqual(first)
    await expect(
      units.startScope({ ...request, pids: [other.pid], description: 'a stranger' }),
    ).rejects.toMatchObject({
      code: 'ERR_VMCG_FOREIGN_UNIT',
      message: expect.stringMatching(new RegExp(`with process ${pid} \\("sleep infinity"\\)`)),
    })
    expect(systemdPathOf(pid)).toBe(first.controlGroup)
    expect(systemdPathOf(other.pid)).not.toBe(first.controlGroup)
  })

  test('takes further processes, also into a cgroup that we have made below it', async () => {
    const units = await open()
    const { pid } = await startResident()
    const other = await startResident()
    const { unit, controlGroup, cgroups } = await units.startScope(requestFor(pid))
    await units.attachPids(unit, [other.pid])
    expect(systemdPathOf(other.pid)).toBe(controlGroup)
    const isUnified = cgroups.every(({ hierarchyId }) => hierarchyId === 0)
    if (!isUnified) return
    const below = join('/sys/fs/cgroup', controlGroup, 'vm')
    mkdirSync(below)
    await units.attachPids(unit, [other.pid], { subcgroup: '/vm' })
    expect(systemdPathOf(other.pid)).toBe(`${controlGroup}/vm`)
    await units.attachPids(unit, [other.pid])
    rmdirSync(below)
  })

  test('is in a slice below a slice, as its name says', async () => {
    const units = await open()
    const { pid } = await startResident()
    const request = { ...requestFor(pid), slice: 'vmcgtest-units.slice' }
    const scope = await units.startScope(request)
    expect(scope.controlGroup).toBe(`/vmcgtest.slice/vmcgtest-units.slice/${request.unit}`)
    await units.stop(scope)
    await run('systemctl', ['stop', 'vmcgtest.slice'])
  })

  test('is refused for a process that has ended', async () => {
    const units = await open()
    const resident = await startResident()
    await endResident(resident)
    await expect(units.startScope(requestFor(resident.pid))).rejects.toMatchObject({
      code: 'ERR_VMCG_VM_GONE',
    })
  })

  test('shows the limits that are mirrored to it', async () => {
    const units = await open()
    const { pid } = await startResident()
    const limits = { memoryMaxBytes: 2 ** 30, pidsMax: 100, cpuQuota: { quotaUs: 33_333, periodUs: 100_000 } }
    const { unit } = await units.startScope(requestFor(pid))
    await units.setLimits(unit, limits)
    const properties = ['MemoryMax', 'TasksMax', 'CPUQuotaPerSecUSec', 'Delegate']
    const { stdout } = await run('systemctl', ['show', unit, `--property=${properties.join(',')}`])
    expect(stdout.trim().split('\n').sort()).toEqual([
      'CPUQuotaPerSecUSec=340ms',
      'Delegate=yes',
      'MemoryMax=1073741824',
      'TasksMax=100',
    ])
  })

  test.each(['daemon-reload', 'daemon-reexec'])('starts and stops through a %s', async (command) => {
    const units = await open()
    for (let round = 0; round < rounds(10, 2); round += 1) {
      const { pid } = await startResident()
      const [scope] = await Promise.all([units.startScope(requestFor(pid)), run('systemctl', [command])])
      expect(systemdPathOf(pid)).toBe(scope.controlGroup)
      const [wasThere] = await Promise.all([units.stop(scope), run('systemctl', [command])])
      expect(wasThere).toBe(true)
    }
    // Whoever comes next finds it on the bus again.
    await units.version()
  })

  test('comes and goes two hundred times, twenty at a time, and nothing is left', async () => {
    const units = await open()
    for (let round = 0; round < rounds(10, 2); round += 1) {
      const all = await Promise.all(Array.from({ length: 20 }, startResident))
      const scopes = await Promise.all(all.map(({ pid }) => units.startScope(requestFor(pid))))
      await Promise.all(scopes.map((scope) => units.stop(scope)))
      await Promise.all(residents.splice(0).map(endResident))
    }
    expect(await unitsLeft(PREFIX)).toBe('')
  })

  test('keeps no process alive that has asked for it', async () => {
    const compiled = join(__dirname, '..', '..', 'dist', 'systemd', 'systemd-units.js')
    expect(existsSync(compiled)).toBe(true)
    const program = `require(${JSON.stringify(compiled)}).SystemdUnits.open().then((units) => units.version()).then(console.log)`
    const { stdout } = await run(process.execPath, ['-e', program], { timeout: patience(20_000) })
    expect(stdout).toMatch(/^\d+/)
    expect(readFileSync(compiled, 'utf8')).not.toMatch(/= require\("dbus-native"\);/)
  })
})
