import { readdirSync } from 'node:fs'
import { CgroupManager } from '../../src/manager'
import {
  cpusOf,
  memoryLimitOf,
  processLimitOf,
  quotaOf,
  sharesWeight,
  weightOf,
} from '../support/cgroup-limits'
import { cgroupsOf, inEvery, ManagerBench } from '../support/manager-bench'
import { describeWith } from '../support/require'

let bench: ManagerBench

beforeEach(() => {
  bench = new ManagerBench()
})
afterEach(() => bench.clear())

describeWith(['root', 'cgroups', 'limits', 'devices', 'freezer'], 'a cgroup manager', () => {
  it('adds a process, applies every kind of limit, lifts them and goes away', async () => {
    const path = bench.path()
    const child = await bench.child(['sleep', '1000'])
    const manager = await bench.manager()
    await manager.add(child.pid)
    expect(await manager.pids()).toEqual([child.pid])
    expect(cgroupsOf(child.pid)).toEqual(inEvery(path))
    const resources = {
      cpu: { shares: 512, quota: 50000, period: 100000, cpus: '0' },
      memory: { limit: 64 * 1024 * 1024 },
      pids: { limit: 100 },
      devices: [{ allow: false, access: 'rwm' }],
    }
    const report = await manager.apply(resources)
    expect(report.left).toEqual([])
    expect((await manager.apply(resources)).isChanged).toBe(false)
    expect(weightOf(path)).toBe(sharesWeight(512))
    expect(quotaOf(path)).toEqual({ quota: 50000, period: 100000 })
    expect(memoryLimitOf(path)).toBe(64 * 1024 * 1024)
    expect(processLimitOf(path)).toBe(100)
    expect(cpusOf(path)).toBe('0')
    expect(await bench.mayOpen('/dev/kmsg')).toBe(false)
    await manager.apply({})
    expect(quotaOf(path).quota).toBe(null)
    expect(processLimitOf(path)).toBe(null)
    expect(await bench.mayOpen('/dev/kmsg')).toBe(true)
    expect((await manager.apply()).isChanged).toBe(false)
    await manager.freeze()
    expect(bench.isFrozen()).toBe(true)
    await manager.thaw()
    const again = await CgroupManager.restore(JSON.parse(JSON.stringify(manager)))
    expect(await again.pids()).toEqual([child.pid])
    await again.close()
    const destroyed = await manager.destroy()
    expect(destroyed.moved.map(({ tid }) => tid)).toEqual([child.pid])
    expect(bench.exists('cpu')).toBe(false)
    expect(readdirSync(bench.stateDir)).toEqual([])
    await manager.close()
  })
})
