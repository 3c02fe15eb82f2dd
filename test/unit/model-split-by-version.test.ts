import { splitByVersion, versionsOf } from '../../src/model/resources/split-by-version'

const v1 = (...controllers: string[]) => ({ version: 1 as const, controllers })
const v2 = (...controllers: string[]) => ({ version: 2 as const, controllers })

const RESOURCES = {
  cpu: { shares: 512, quota: 50_000, cpus: '0-1', mems: '0' },
  memory: { limit: 1 << 20 },
  blockIO: { weight: 100 },
  network: { classID: 1, priorities: [{ name: 'lo', priority: 2 }] },
  hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
}

describe('resources go where their controller lives', () => {
  test('all to v1 on a v1 host', () => {
    const host = versionsOf([v1('cpu'), v1('cpuset'), v1('memory'), v1('blkio'), v1('hugetlb'), v2()])
    expect(splitByVersion(RESOURCES, host)).toEqual({ 1: RESOURCES, 2: {} })
  })

  test('all to v2 on a v2 host, also what v2 has nothing for and must refuse', () => {
    const host = versionsOf([v2('cpuset', 'cpu', 'io', 'memory', 'hugetlb')])
    expect(splitByVersion(RESOURCES, host)).toEqual({ 1: {}, 2: RESOURCES })
  })

  test('each to its own on a hybrid host: block I/O by either of its names, CPU time and CPU lists apart', () => {
    const host = versionsOf([v1('cpu'), v1('net_cls'), v2('cpuset', 'io', 'memory', 'hugetlb')])
    const { hugepageLimits, memory, blockIO } = RESOURCES
    expect(splitByVersion(RESOURCES, host)).toEqual({
      1: { cpu: { shares: 512, quota: 50_000 }, network: RESOURCES.network },
      2: { cpu: { cpus: '0-1', mems: '0' }, memory, blockIO, hugepageLimits },
    })
  })

  test('what no hierarchy has goes to v1 while there is any', () => {
    expect(splitByVersion({ pids: { limit: 5 } }, versionsOf([v1('cpu'), v2('hugetlb')]))[1]).toEqual({
      pids: { limit: 5 },
    })
  })
})

test('files of v2 are for v2 wherever that has a controller, and else for v1 to refuse', () => {
  const unified = { 'memory.high': '1M' }
  expect(splitByVersion({ unified }, versionsOf([v1('cpu'), v2('memory')]))).toEqual({
    1: {},
    2: { unified },
  })
  expect(splitByVersion({ unified }, versionsOf([v1('cpu'), v2()]))).toEqual({ 1: { unified }, 2: {} })
})
