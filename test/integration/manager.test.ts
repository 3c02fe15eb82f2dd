import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CgroupManager } from '../../src/manager'
import { describeWith } from '../support/require'

const V1 = ['cpu', 'cpuacct', 'cpuset', 'memory', 'pids', 'blkio', 'devices', 'freezer']
const NAME = `vmcg-test-manager-${process.pid}`
const stateDir = mkdtempSync(join(tmpdir(), 'vmcg-test-manager-'))
const text = (controller: string, file: string) =>
  readFileSync(`/sys/fs/cgroup/${controller}/${NAME}/kata_one/${file}`, 'utf8').trimEnd()

describeWith(['root', 'cgroup-v1'], 'a cgroup manager', () => {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' })

  afterAll(() => {
    child.kill('SIGKILL')
    rmSync(stateDir, { recursive: true })
    for (const controller of V1) {
      const directory = `/sys/fs/cgroup/${controller}/${NAME}`
      if (existsSync(directory)) rmdirSync(directory)
    }
  })

  it('adds a process, applies every kind of limit, lifts them and goes away', async () => {
    const manager = await CgroupManager.create({ cgroupsPath: `/${NAME}/one`, stateDir })
    await manager.add(child.pid ?? 0)
    expect(await manager.pids()).toEqual([child.pid])
    const resources = {
      cpu: { shares: 512, quota: 50000, period: 100000, cpus: '0' },
      memory: { limit: 64 * 1024 * 1024 },
      pids: { limit: 100 },
      devices: [{ allow: false, access: 'rwm' }],
    }
    const report = await manager.apply(resources)
    expect(report.left).toEqual([])
    expect((await manager.apply(resources)).isChanged).toBe(false)
    expect(text('cpu', 'cpu.cfs_quota_us')).toBe('50000')
    expect(text('memory', 'memory.limit_in_bytes')).toBe(String(64 * 1024 * 1024))
    expect(text('pids', 'pids.max')).toBe('100')
    expect(text('cpuset', 'cpuset.cpus')).toBe('0')
    expect(text('devices', 'devices.list')).not.toContain('a *:* rwm')
    await manager.apply({})
    expect(text('cpu', 'cpu.cfs_quota_us')).toBe('-1')
    expect(text('pids', 'pids.max')).toBe('max')
    expect((await manager.apply()).isChanged).toBe(false)
    await manager.freeze()
    expect(text('freezer', 'freezer.state')).toBe('FROZEN')
    await manager.thaw()
    const again = await CgroupManager.restore(JSON.parse(JSON.stringify(manager)))
    expect(await again.pids()).toEqual([child.pid])
    await again.close()
    const destroyed = await manager.destroy()
    expect(destroyed.moved.map(({ tid }) => tid)).toEqual([child.pid])
    expect(existsSync(`/sys/fs/cgroup/cpu/${NAME}/kata_one`)).toBe(false)
    await manager.close()
  })
})
