import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { readProcessCgroups } from '../../src/host/process'
import { CgroupManager } from '../../src/manager'
import type { CgroupManagerConfig } from '../../src/manager-options'
import { Bench } from '../support/bench'
import { processLimitOf } from '../support/cgroup-limits'
import { isAlive } from '../support/cgroups'
import { untilScopeIsGone } from '../support/driver'
import { describeWith } from '../support/require'
import { rounds } from '../support/scale'
import { unitsLeft } from '../support/units-left'

const run = promisify(execFile)
const PREFIX = `vmcg-test-${process.pid}`
const PATH = `system.slice:${PREFIX}:job`
const UNIT = `${PREFIX}-job.scope`
const SCOPE = `/system.slice/${UNIT}`

describeWith(['root', 'cgroups', 'systemd'], 'a manager of a scope of systemd', () => {
  let bench: Bench

  beforeEach(() => {
    bench = new Bench()
  })

  afterEach(async () => {
    await bench.clear()
    expect(await unitsLeft(PREFIX)).toBe('')
  })

  async function manager(config: Partial<CgroupManagerConfig> = {}): Promise<CgroupManager> {
    const { stateDir } = bench
    const made = await CgroupManager.create({
      cgroupsPath: PATH,
      resources: { pids: { limit: 100 } },
      stateDir,
      ...config,
    })
    bench.atEnd(async () => {
      await made.destroy()
      await made.close()
    })
    return made
  }

  const pathsOf = (pid: number) => (readProcessCgroups(pid) ?? []).map(({ path }) => path)

  test('makes nothing before the first process', async () => {
    const made = await manager()
    await expect(made.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_NOT_ATTACHED' })
  })

  test('begins with it, and takes others in beside it', async () => {
    const made = await manager()
    const [first, second] = [await bench.standIn(), await bench.standIn()]
    await made.add(first.pid)
    await made.apply()
    await made.add(second.pid)
    for (const { pid } of [first, second]) expect(pathsOf(pid)).toContain(`${SCOPE}/vm`)
    expect(await made.pids()).toEqual([first.pid, second.pid].sort((a, b) => a - b))
  })

  test('ends when everybody has been given back, and begins again with the next process, limited as before', async () => {
    const made = await manager()
    const [first, second] = [await bench.standIn(), await bench.standIn()]
    const before = pathsOf(first.pid)
    await made.add(first.pid)
    await made.apply()
    await made.moveToParent()
    expect(pathsOf(first.pid)).toEqual(before)
    await untilScopeIsGone(SCOPE)
    await expect(made.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_VM_GONE' })
    await made.add(second.pid)
    expect(await made.pids()).toEqual([second.pid])
    expect(processLimitOf(`${SCOPE}/vm`)).toBe(100)
  })

  test('keeps the rules for devices through reloads', async () => {
    const made = await manager()
    const { pid } = await bench.standIn()
    await made.add(pid)
    const report = await made.apply({ devices: [{ allow: false, access: 'rwm' }] })
    expect(report.isChanged).toBe(true)
    for (let round = 0; round < rounds(20, 2); round += 1) await run('systemctl', ['daemon-reload'])
    await run('systemctl', ['daemon-reexec'])
    expect((await made.apply()).isChanged).toBe(false)
  })

  test('has its unit show the limits, where that is asked for, and they follow', async () => {
    const shown = async () => {
      const { stdout } = await run('systemctl', ['show', UNIT, '--property=TasksMax,CPUQuotaPerSecUSec'])
      return stdout.trim().split('\n').sort()
    }
    const made = await manager({ mirror: true })
    const { pid } = await bench.standIn()
    await made.add(pid)
    expect(await shown()).toEqual(['CPUQuotaPerSecUSec=infinity', 'TasksMax=infinity'])
    await made.apply({ pids: { limit: 100 }, cpu: { quota: 30_000, period: 100_000 } })
    expect(await shown()).toEqual(['CPUQuotaPerSecUSec=300ms', 'TasksMax=100'])
    // On v1 the kernel refuses more than the unit has.
    await made.apply({ pids: { limit: 200 }, cpu: { quota: 65_555, period: 100_000 } })
    expect(await shown()).toEqual(['CPUQuotaPerSecUSec=660ms', 'TasksMax=200'])
    expect((await made.apply()).isChanged).toBe(false)
    await made.apply({})
    expect(await shown()).toEqual(['CPUQuotaPerSecUSec=infinity', 'TasksMax=infinity'])
  })

  test('comes back from its JSON, and gives everybody back when it is destroyed', async () => {
    const made = await manager()
    const { pid } = await bench.standIn()
    const before = pathsOf(pid)
    await made.add(pid)
    const restored = await CgroupManager.restore(JSON.stringify(made))
    await restored.destroy()
    await restored.close()
    expect(isAlive(pid)).toBe(true)
    expect(pathsOf(pid)).toEqual(before)
  })
})
