import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hugePageSizes } from '../../src/host/huge-pages'
import { readCgroupStats, readRoles } from '../support/read-cgroup-stats'
import { describeWhere, describeWith } from '../support/require'
import { SPIN, waitFor } from '../support/residents'
import { enable, UNIFIED, UnifiedHome } from '../support/unified-home'

let home: UnifiedHome

beforeEach(() => {
  home = new UnifiedHome()
})
afterEach(() => home.clear())

const read = (path = home.path) => readCgroupStats(home.roots, home.hierarchies, path)
const roles = () => {
  if (UNIFIED === undefined) throw new Error('no cgroup v2 mount')
  return readRoles(home.roots, UNIFIED, home.path)
}
const has = (...controllers: string[]) => controllers.every((name) => UNIFIED?.controllers.includes(name))
const usageUs = (path = home.path) => Number(/^usage_usec (\d+)/m.exec(home.read('cpu.stat', path))?.[1])

describeWith(['root', 'unified'], 'the figures of a cgroup of v2', () => {
  test('have CPU time whatever controllers there are, between what the kernel said before and after', async () => {
    await home.run(SPIN)
    await waitFor('some CPU time', () => usageUs() > 100_000)
    const before = usageUs()
    const { cpu } = await read()
    expect(cpu?.usageUs).toBeGreaterThanOrEqual(before)
    expect(cpu?.usageUs).toBeLessThanOrEqual(usageUs())
    expect(cpu?.perCpuUs).toBeNull()
    // Each of the three is rounded on its own.
    const { usageUs: whole = 0, userUs = 0, systemUs = 0 } = cpu ?? {}
    expect(Math.abs(userUs + systemUs - whole)).toBeLessThanOrEqual(2)
  })

  test('include what happens below', async () => {
    const below = `${home.path}/below`
    home.make(below)
    await home.run(SPIN, below)
    await waitFor('CPU time', () => usageUs(below) > 10_000)
    expect((await read()).cpu?.usageUs).toBeGreaterThan(10_000)
  })

  test('are null for controllers that are not enabled for it', async () => {
    home.make(`${home.path}/bare`)
    expect(await read(`${home.path}/bare`)).toMatchObject({
      cpu: { usageUs: 0, userUs: 0, systemUs: 0, perCpuUs: null },
      throttling: null,
      memory: null,
      memoryEvents: null,
      pids: null,
      hugetlb: null,
    })
  })

  test('are an error for a cgroup that is not there', async () => {
    await expect(read(`${home.path}/gone`)).rejects.toMatchObject({ name: 'CgroupError', code: 'ENOENT' })
  })
})

describeWith(['root', 'unified', 'python'], 'the figures of a sandbox on v2', () => {
  test('are those of its roles', async () => {
    const leaf = `${home.path}/vcpu`
    const { busy } = await home.runTwoThreads()
    home.makeThreaded(leaf)
    home.write('cgroup.threads', busy, leaf)
    await waitFor('CPU time of the leaf', () => usageUs(leaf) > 200_000)
    const before = usageUs(leaf)
    const { vcpu, emulator, threads } = await roles()
    expect(threads).toEqual({ vcpu: 1, emulator: 1 })
    expect(vcpu.quotaUs).toBeNull()
    expect(vcpu.usageUs).toBeGreaterThanOrEqual(before)
    expect(vcpu.usageUs).toBeLessThanOrEqual(usageUs(leaf))
    expect(emulator.usageUs).toBeGreaterThanOrEqual(0)
    expect(emulator.usageUs).toBeLessThanOrEqual(usageUs() - before)
  })

  test('are zero where its leaf has not been made', async () => {
    const none = { periods: 0, throttledPeriods: 0, throttledUs: 0, bursts: null, burstUs: null }
    expect((await roles()).vcpu).toEqual({
      usageUs: 0,
      quotaUs: null,
      periodUs: 0,
      throttling: none,
    })
  })
})

describeWith(['root', 'unified'], 'pressure', () => {
  const isWatched = () => spawnSync('cat', [`${home.directory()}/cpu.pressure`]).status === 0

  test('is told where the kernel watches it, and is null elsewhere', async () => {
    const { pressure } = await read()
    const stall = { avg10Percent: 0, avg60Percent: 0, avg300Percent: 0, totalUs: expect.any(Number) }
    const each = { some: stall, full: stall }
    expect(pressure).toEqual(isWatched() ? { cpu: each, memory: each, io: each } : null)
  })

  test('is null once it is not to be watched any more', async () => {
    // Since Linux 6.1; before, it is watched everywhere or nowhere.
    if (existsSync(`${home.directory()}/cgroup.pressure`)) home.write('cgroup.pressure', 0)
    const { pressure } = await read()
    expect(pressure === null).toBe(!isWatched())
  })
})

describeWhere(has('cpu'), 'cpu on cgroup v2', 'the figures of a quota on v2', () => {
  beforeAll(() => enable('cpu'))

  test('are those of the leaf that is held back, and not of the sandbox', async () => {
    const leaf = `${home.path}/vcpu`
    const { busy } = await home.runTwoThreads()
    home.makeThreaded(leaf)
    home.write('cgroup.subtree_control', '+cpu')
    home.write('cpu.max', '10000 50000', leaf)
    home.write('cgroup.threads', busy, leaf)
    const throttled = () => Number(/^nr_throttled (\d+)/m.exec(home.read('cpu.stat', leaf))?.[1])
    await waitFor('a period with the quota used up', () => throttled() > 2)
    const before = throttled()
    const { vcpu, emulator, threads } = await roles()
    expect(vcpu).toMatchObject({ quotaUs: 10_000, periodUs: 50_000 })
    expect(threads.vcpu).toBe(1)
    expect(vcpu.throttling.throttledPeriods).toBeGreaterThanOrEqual(before)
    expect(vcpu.throttling.throttledPeriods).toBeLessThanOrEqual(throttled())
    expect(vcpu.throttling.periods).toBeGreaterThanOrEqual(vcpu.throttling.throttledPeriods)
    expect(vcpu.throttling.throttledUs).toBeGreaterThan(0)
    expect(vcpu.throttling.bursts).toBe(0)
    expect(emulator.throttling).toMatchObject({ throttledPeriods: 0, throttledUs: 0 })
    expect((await read(leaf)).throttling?.throttledPeriods).toBeGreaterThanOrEqual(before)
  })
})

describeWhere(has('memory', 'pids'), 'memory and pids on cgroup v2', 'the figures of limits on v2', () => {
  beforeAll(() => enable('memory', 'pids'))
  const hold = (bytes: number) => ['python3', '-c', `x = bytearray(${bytes}); import time; time.sleep(60)`]

  test('are without limits where there are none', async () => {
    const { memory, memoryEvents, pids } = await read()
    expect(memory).toMatchObject({ usageBytes: 0, limitBytes: null, failures: 0, oomKills: 0 })
    expect(memoryEvents).toEqual({ low: 0, high: 0, max: 0, oom: 0, oomKill: 0, oomGroupKill: 0 })
    expect(pids).toEqual({ current: 0, limit: null })
  })

  test('tell limits and what is used of them', async () => {
    home.write('memory.max', 2 ** 27)
    home.write('pids.max', 7)
    await home.runInside(hold(2 ** 25))
    const anonymous = () => Number(/^anon (\d+)/m.exec(home.read('memory.stat'))?.[1])
    await waitFor('the memory to be charged', () => anonymous() > 2 ** 25)
    const { memory, pids } = await read()
    expect(pids).toEqual({ current: 1, limit: 7 })
    expect(memory?.limitBytes).toBe(2 ** 27)
    expect(memory?.usageBytes).toBeGreaterThan(2 ** 25)
    expect(memory?.maxUsageBytes).toBeGreaterThanOrEqual(memory?.usageBytes ?? Number.NaN)
    expect(memory?.parts.rssBytes).toBeGreaterThan(2 ** 25)
    expect(memory?.parts.rssBytes).toBeLessThanOrEqual(2 ** 27)
    expect(memory?.parts.pageFaults).toBeGreaterThan(0)
  })

  test('tell memory with swap and swap alone where swap is accounted', async () => {
    home.write('memory.max', 2 ** 27)
    if (existsSync(`${home.directory()}/memory.swap.max`)) {
      home.write('memory.swap.max', 2 ** 26)
      const { memory } = await read()
      expect(memory?.swap).toMatchObject({ usageBytes: 0, limitBytes: 2 ** 26, failures: 0 })
      expect(memory?.withSwap).toMatchObject({ limitBytes: 2 ** 27 + 2 ** 26, failures: null })
    } else {
      expect((await read()).memory).toMatchObject({ swap: null, withSwap: null })
    }
  })

  test('count those that are killed for want of memory', async () => {
    home.write('memory.max', 2 ** 25)
    if (existsSync(`${home.directory()}/memory.swap.max`)) home.write('memory.swap.max', 0)
    const { ended } = await home.runInside(hold(2 ** 28))
    expect(await ended).toBe('SIGKILL')
    const { memory, memoryEvents } = await read()
    expect(memory).toMatchObject({ oomKills: 1 })
    expect(memory?.failures).toBeGreaterThan(0)
    expect(memoryEvents).toMatchObject({ oomKill: 1 })
    expect(memoryEvents?.max).toBeGreaterThan(0)
  })
})

describeWhere(has('io'), 'io on cgroup v2', 'the figures of disks on v2', () => {
  beforeAll(() => enable('io'))

  test('count what goes to a disk, as far as the file system lets', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-io-'))
    const enter = `echo 0 > ${home.directory()}/cgroup.procs`
    const write = `dd if=/dev/zero of=${folder}/file oflag=direct bs=64k count=4`
    const isDirect = spawnSync('sh', ['-c', `${enter}; ${write}`], { stdio: 'ignore' }).status === 0
    rmSync(folder, { recursive: true })
    const { blkio } = await read()
    const written = (blkio ?? []).reduce((sum, { writeBytes }) => sum + writeBytes, 0)
    if (isDirect && /wbytes=[1-9]/.test(home.read('io.stat'))) {
      expect(written).toBeGreaterThanOrEqual(4 * 65_536)
      expect(blkio?.some(({ writeOps }) => writeOps > 0)).toBe(true)
    } else {
      expect(written).toBe(0)
    }
  })
})

describeWhere(
  has('memory', 'hugetlb') && hugePageSizes().length > 0,
  'huge pages on cgroup v2',
  'the figures of huge pages on v2',
  () => {
    beforeAll(() => enable('hugetlb'))

    test('tell the limit of each size', async () => {
      const [size = ''] = hugePageSizes()
      home.write(`hugetlb.${size}.max`, 2 ** 30)
      const { hugetlb } = await read()
      expect(Object.keys(hugetlb ?? {})).toEqual(hugePageSizes())
      expect(hugetlb?.[size]).toEqual({
        usageBytes: 0,
        maxUsageBytes: null,
        limitBytes: 2 ** 30,
        failures: 0,
      })
    })
  },
)
