import { figuresV2, filesV2 } from '../../src/host/cgroup-stats-v2'
import { figuresOfTexts } from '../support/figures-of-text'

const CONTROLLERS = ['cpu', 'memory', 'pids', 'io', 'hugetlb']

const figures = (files: Readonly<Record<string, string>>, pageSizes: readonly string[] = []) =>
  figuresV2(figuresOfTexts(filesV2(CONTROLLERS, pageSizes), files), pageSizes)

const MEMORY = {
  'memory.current': '8192',
  'memory.peak': '12288',
  'memory.max': '16384',
  'memory.stat': 'anon 4096\nfile 4096',
  'memory.events': 'low 0\nhigh 1\nmax 9\noom 3\noom_kill 3\noom_group_kill 0',
  'memory.events.local': 'low 0\nhigh 0\nmax 2\noom 1\noom_kill 1\noom_group_kill 0',
}
const SWAP = {
  'memory.swap.current': '100',
  'memory.swap.peak': '200',
  'memory.swap.max': '300',
  'memory.swap.events': 'high 0\nmax 5\nfail 5',
}

it('tells memory with the failures and kills of the cgroup itself, and the events of all below it', () => {
  expect(figures(MEMORY)).toMatchObject({
    memory: {
      usageBytes: 8192,
      maxUsageBytes: 12_288,
      limitBytes: 16_384,
      failures: 2,
      oomKills: 1,
      withSwap: null,
      swap: null,
      parts: { rssBytes: 4096, cacheBytes: 4096, swapBytes: null },
    },
    memoryEvents: { low: 0, high: 1, max: 9, oom: 3, oomKill: 3, oomGroupKill: 0 },
  })
})

it('takes the events of all below where the kernel has no others', () => {
  const { 'memory.events.local': _local, ...older } = MEMORY
  expect(figures(older).memory).toMatchObject({ failures: 9, oomKills: 3 })
})

it('tells swap alone, and memory and swap together without a peak, which nobody knows', () => {
  expect(figures({ ...MEMORY, ...SWAP }).memory).toMatchObject({
    withSwap: { usageBytes: 8292, maxUsageBytes: null, limitBytes: 16_684, failures: null },
    swap: { usageBytes: 100, maxUsageBytes: 200, limitBytes: 300, failures: 5 },
    parts: { swapBytes: 100 },
  })
})

it.each(['memory.max', 'memory.swap.max'])('has no limit of both together where %s has none', (file) => {
  const { memory } = figures({ ...MEMORY, ...SWAP, [file]: 'max' })
  expect(memory?.withSwap?.limitBytes).toBeNull()
})

it('has no peak on kernels that do not remember it', () => {
  const { 'memory.peak': _peak, ...older } = MEMORY
  expect(figures(older).memory?.maxUsageBytes).toBeNull()
})

it('has figures for each size of huge pages, and no peak of them', () => {
  const files = {
    'hugetlb.2MB.current': '2097152',
    'hugetlb.2MB.max': '4194304',
    'hugetlb.2MB.events': 'max 7',
    'hugetlb.2MB.events.local': 'max 3',
    'hugetlb.1GB.current': '0',
    'hugetlb.1GB.max': 'max',
  }
  expect(figures(files, ['2MB', '1GB']).hugetlb).toEqual({
    '2MB': { usageBytes: 2_097_152, maxUsageBytes: null, limitBytes: 4_194_304, failures: 3 },
    '1GB': { usageBytes: 0, maxUsageBytes: null, limitBytes: null, failures: null },
  })
})

it('tells that huge pages have no limit also before one was ever written', () => {
  const files = { 'hugetlb.2MB.current': '0', 'hugetlb.2MB.max': '9223372036854771712' }
  expect(figures(files, ['2MB']).hugetlb).toMatchObject({ '2MB': { limitBytes: null } })
})

it('has only CPU time without a controller, and no pressure where that is not watched', () => {
  expect(figures({ 'cpu.stat': 'usage_usec 3\nuser_usec 2\nsystem_usec 1' })).toEqual({
    cpu: { usageUs: 3, userUs: 2, systemUs: 1, perCpuUs: null },
    throttling: null,
    memory: null,
    memoryEvents: null,
    pids: null,
    blkio: null,
    hugetlb: null,
    pressure: null,
  })
})

it('asks only for files of controllers that are there', () => {
  const names = (controllers: readonly string[], pageSizes: readonly string[] = []) =>
    filesV2(controllers, pageSizes).map(({ file }) => file.file)
  expect(names([])).toEqual(['cpu.stat', 'cpu.pressure', 'memory.pressure', 'io.pressure'])
  expect(names(['cpu', 'cpuset', 'pids', 'hugetlb', 'misc'], ['2MB'])).toEqual(
    expect.arrayContaining(['pids.current', 'pids.max', 'hugetlb.2MB.current', 'hugetlb.2MB.max']),
  )
  expect(names(['pids']).some((file) => /^(?:memory\.(?!pressure)|io\.stat)/.test(file))).toBe(false)
})

it.each([
  ['3', '7', { current: 3, limit: 7 }],
  ['3', 'max', { current: 3, limit: null }],
  ['3', undefined, { current: 3, limit: null }],
  [undefined, undefined, null],
])('pids.current %p and pids.max %p are %j', (current, max, pids) => {
  const files = {
    ...(current !== undefined && { 'pids.current': current }),
    ...(max !== undefined && { 'pids.max': max }),
  }
  expect(figures(files).pids).toEqual(pids)
})
