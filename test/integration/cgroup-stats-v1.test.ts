import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readCgroupStats } from '../support/read-cgroup-stats'
import { describeWith } from '../support/require'
import { Residence, SPIN, waitFor } from '../support/residents'

const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio']

let home: Residence

beforeEach(() => {
  home = new Residence(...CONTROLLERS)
})
afterEach(() => home.clear())

const read = (path = home.path) => readCgroupStats(home.roots, home.hierarchies, path)

describeWith(['root', 'cgroup-v1', 'accounting-v1'], 'the figures of a cgroup', () => {
  test('are zero and without limits where nothing has happened', async () => {
    const { cpu, throttling, memory, pids, blkio } = await read()
    expect(cpu).toMatchObject({ usageUs: 0, userUs: 0, systemUs: 0 })
    expect(throttling).toMatchObject({ periods: 0, throttledPeriods: 0, throttledUs: 0 })
    expect(memory).toMatchObject({ usageBytes: 0, limitBytes: null, failures: 0, parts: { rssBytes: 0 } })
    expect(pids).toEqual({ current: 0, limit: null })
    expect(blkio).toEqual([])
  })

  test('are those of the kernel for a process that is held back by its quota', async () => {
    home.write('cpu', 'cpu.cfs_quota_us', 10_000)
    await home.run(SPIN)
    const kernelSays = () => Number(/nr_throttled (\d+)/.exec(home.read('cpu', 'cpu.stat'))?.[1])
    await waitFor('a period with the quota used up', () => kernelSays() > 2)
    const before = { usageUs: Number(home.read('cpuacct', 'cpuacct.usage')) / 1000, throttled: kernelSays() }
    const { cpu, throttling } = await read()
    const after = { usageUs: Number(home.read('cpuacct', 'cpuacct.usage')) / 1000, throttled: kernelSays() }
    expect(cpu?.usageUs).toBeGreaterThanOrEqual(Math.floor(before.usageUs))
    expect(cpu?.usageUs).toBeLessThanOrEqual(after.usageUs)
    expect(throttling?.throttledPeriods).toBeGreaterThanOrEqual(before.throttled)
    expect(throttling?.throttledPeriods).toBeLessThanOrEqual(after.throttled)
    expect(throttling?.throttledUs).toBeGreaterThan(0)
  })

  test('divide CPU time between CPUs, and between user and system, to the same sum', async () => {
    await home.run(SPIN)
    await waitFor('some CPU time', () => Number(home.read('cpuacct', 'cpuacct.usage')) > 3e8)
    const { cpu } = await read()
    const { usageUs = 0, userUs = 0, systemUs = 0, perCpuUs } = cpu ?? {}
    // The files are read one after the other while the loop goes on.
    const sum = (perCpuUs ?? []).reduce((total, us) => total + us, 0)
    expect(Math.abs(sum - usageUs)).toBeLessThan(usageUs)
    expect(userUs + systemUs).toBeGreaterThan(0)
    expect(userUs + systemUs).toBeLessThan(2 * sum)
  })

  test('tell limits and failures', async () => {
    home.write('memory', 'memory.limit_in_bytes', 2 ** 24)
    home.write('pids', 'pids.max', 7)
    await home.run(['sleep', '60'])
    const { memory, pids } = await read()
    expect(memory).toMatchObject({ limitBytes: 2 ** 24, withSwap: { limitBytes: null } })
    expect(memory?.parts.rssBytes).toBeLessThanOrEqual(2 ** 24)
    expect(pids).toEqual({ current: 1, limit: 7 })
  })

  test('include what happens below', async () => {
    const below = `${home.path}/below`
    home.make(below)
    await home.run(SPIN, below)
    await waitFor('CPU time', () => Number(home.read('cpuacct', 'cpuacct.usage', below)) > 1e6)
    const { cpu, pids } = await read()
    expect(cpu?.usageUs).toBeGreaterThanOrEqual(1000)
    expect(pids?.current).toBe(1)
  })

  test('count what goes to and from a disk, as far as the file system lets', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-io-'))
    const enter = `echo 0 > ${home.directory('blkio')}/cgroup.procs`
    const write = `dd if=/dev/zero of=${folder}/file oflag=direct bs=64k count=4`
    const isDirect = spawnSync('sh', ['-c', `${enter}; ${write}`], { stdio: 'ignore' }).status === 0
    rmSync(folder, { recursive: true })
    const { blkio } = await read()
    const written = (blkio ?? []).map(({ writeBytes, writeOps }) => ({ writeBytes, writeOps }))
    const kernelSays = home.read('blkio', 'blkio.throttle.io_service_bytes_recursive')
    if (isDirect && /Write [1-9]/.test(kernelSays)) {
      expect(written).toEqual([{ writeBytes: expect.any(Number), writeOps: expect.any(Number) }])
      expect(written[0]?.writeBytes).toBeGreaterThanOrEqual(4 * 65_536)
    } else {
      expect(written.every(({ writeBytes }) => writeBytes === 0)).toBe(true)
    }
  })

  test('are an error for a cgroup that is not there', async () => {
    await expect(read(`${home.path}/gone`)).rejects.toMatchObject({ name: 'CgroupError', code: 'ENOENT' })
  })
})
