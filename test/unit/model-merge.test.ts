import * as fc from 'fast-check'
import { CONFIG_JSON_KEY, type ContainerConfig } from '../../src/model/container'
import type { LinuxResources } from '../../src/model/generated/oci'
import { mergeResources } from '../../src/model/merge'
import { forAll } from '../support/for-all'

const containers = (...demands: LinuxResources[]): ContainerConfig[] =>
  demands.map((resources, index) => ({ id: `c${index + 1}`, spec: { linux: { resources } } }))

const GIB = 1024 ** 3

it('adds up two containers whose configs come by annotation', () => {
  const annotated = [
    { id: 'web', quota: 30000 },
    { id: 'db', quota: 20000 },
  ].map(({ id, quota }) => ({
    id,
    annotations: {
      [CONFIG_JSON_KEY]: JSON.stringify({ linux: { resources: { cpu: { quota, period: 100000 } } } }),
    },
  }))
  expect(mergeResources(annotated)).toEqual({ cpu: { quota: 50000, period: 100000 } })
})

it.each([
  ['no containers', []],
  ['containers that ask for nothing', containers({}, { cpu: {} }, { devices: [] })],
  ['containers without a config', [{ id: 'a' }, { id: 'b' }]],
])('is empty for %s', (_, list) => {
  expect(mergeResources(list)).toEqual({})
})

it('counts a container without a config as unlimited', () => {
  const list = [...containers({ cpu: { quota: 1000, period: 1000 } }), { id: 'unknown' }]
  expect(mergeResources(list).cpu).toEqual({ quota: 1000, period: 1000 })
  expect(mergeResources(list, { unlimited: 'uncap' })).toEqual({})
})

it('counts a container with a config but no CPU limits as unlimited', () => {
  const list = containers({ cpu: { quota: 1000, period: 1000 } }, { pids: { limit: 5 } })
  expect(mergeResources(list, { unlimited: 'uncap' }).cpu).toBeUndefined()
})

describe('memory', () => {
  const limited = containers({ memory: { limit: GIB, swap: 2 * GIB } }, { memory: { limit: 2 * GIB } })

  it('is the sum and the overhead', () => {
    expect(mergeResources(limited, { memoryOverheadBytes: 100 })).toEqual({
      memory: { limit: 3 * GIB + 100 },
    })
  })

  it('may have an overhead of 0', () => {
    expect(mergeResources(limited, { memoryOverheadBytes: 0 })).toEqual({ memory: { limit: 3 * GIB } })
  })

  it('is not limited when the overhead is not known', () => {
    expect(mergeResources(limited)).toEqual({})
  })

  it.each([{}, { memory: {} }, { memory: { limit: -1 } }, { memory: { limit: 0 } }])(
    'is not limited when one container has %j',
    (unlimited) => {
      const list = [...limited, ...containers(unlimited)]
      expect(mergeResources(list, { memoryOverheadBytes: 100 })).toEqual({})
    },
  )

  it('is not limited without containers', () => {
    expect(mergeResources([], { memoryOverheadBytes: 100 })).toEqual({})
  })

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('refuses an overhead of %p', (memoryOverheadBytes) => {
    expect(() => mergeResources([], { memoryOverheadBytes })).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }),
    )
  })

  it('refuses a sum beyond 2^53', () => {
    const most = { memory: { limit: Number.MAX_SAFE_INTEGER } }
    expect(() => mergeResources(containers(most), { memoryOverheadBytes: 1 })).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_OUT_OF_RANGE' }),
    )
  })
})

describe('pids', () => {
  it('add up when every container has a limit', () => {
    expect(mergeResources(containers({ pids: { limit: 10 } }, { pids: { limit: 32 } }))).toEqual({
      pids: { limit: 42 },
    })
  })

  it.each([{}, { pids: { limit: 0 } }, { pids: { limit: -1 } }])(
    'are not limited when one has %j',
    (unlimited) => {
      expect(mergeResources(containers({ pids: { limit: 10 } }, unlimited))).toEqual({})
    },
  )
})

it('adds up huge pages per size, and keeps a limit of 0', () => {
  const list = containers(
    { hugepageLimits: [{ pageSize: '2MB', limit: 100 }] },
    {},
    {
      hugepageLimits: [
        { pageSize: '2MB', limit: 50 },
        { pageSize: '1GB', limit: 0 },
      ],
    },
  )
  expect(mergeResources(list)).toEqual({
    hugepageLimits: [
      { pageSize: '2MB', limit: 150 },
      { pageSize: '1GB', limit: 0 },
    ],
  })
})

describe('block I/O', () => {
  it('takes the largest weight, and per device the largest rate', () => {
    const list = containers(
      {
        blockIO: {
          weight: 100,
          weightDevice: [{ major: 8, minor: 16, weight: 300, leafWeight: 10 }],
          throttleReadBpsDevice: [{ major: 8, minor: 16, rate: 1000 }],
          throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 7 }],
        },
      },
      {
        blockIO: {
          weight: 500,
          leafWeight: 20,
          weightDevice: [
            { major: 8, minor: 16, weight: 200, leafWeight: 20 },
            { major: 8, minor: 0, weight: 400 },
          ],
          throttleReadBpsDevice: [
            { major: 8, minor: 16, rate: 3000 },
            { major: 8, minor: 0, rate: 2000 },
          ],
        },
      },
    )
    expect(mergeResources(list)).toEqual({
      blockIO: {
        weight: 500,
        leafWeight: 20,
        weightDevice: [
          { major: 8, minor: 0, weight: 400 },
          { major: 8, minor: 16, weight: 300, leafWeight: 20 },
        ],
        throttleReadBpsDevice: [
          { major: 8, minor: 0, rate: 2000 },
          { major: 8, minor: 16, rate: 3000 },
        ],
        throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 7 }],
      },
    })
  })

  it('takes a weight or rate of 0 for none', () => {
    const list = containers({
      blockIO: {
        weight: 0,
        weightDevice: [{ major: 8, minor: 0 }],
        throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 0 }],
      },
    })
    expect(mergeResources(list)).toEqual({})
  })
})

it('leaves out what belongs to a container inside the VM', () => {
  const list = containers({
    network: { classID: 1 },
    rdma: { mlx5_1: { hcaHandles: 1 } },
    unified: { 'cpu.max': '1000 1000' },
    memory: { swappiness: 1, disableOOMKiller: true },
  })
  expect(mergeResources(list, { memoryOverheadBytes: 0 })).toEqual({})
})

it('refuses an invalid config, naming its container', () => {
  const list = [...containers({}), { id: 'bad', annotations: { [CONFIG_JSON_KEY]: '{' } }]
  expect(() => mergeResources(list)).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_INVALID_SPEC', message: expect.stringContaining('"bad"') }),
  )
})

it('gives a frozen value that shares nothing with what it was made of', () => {
  const limit = { major: 8, minor: 0, rate: 5 }
  const merged = mergeResources(
    containers({ blockIO: { throttleReadBpsDevice: [limit] }, devices: [{ allow: true }] }),
  )
  limit.rate = 6
  expect(merged.blockIO?.throttleReadBpsDevice).toEqual([{ major: 8, minor: 0, rate: 5 }])
  const frozen = [merged, merged.devices, merged.devices?.[1], merged.blockIO?.throttleReadBpsDevice?.[0]]
  expect(frozen.every((part) => part !== undefined && Object.isFrozen(part))).toBe(true)
})

it('merging one container again changes nothing', () => {
  const positive = fc.integer({ min: 1, max: 100_000 })
  const rate = fc.record({ major: fc.constant(8), minor: fc.integer({ min: 0, max: 4 }), rate: positive })
  const demand = fc.record(
    {
      cpu: fc.record({ quota: positive, period: positive, shares: positive }),
      pids: fc.record({ limit: positive }),
      blockIO: fc.record({ weight: positive.map((n) => n % 1000), throttleReadBpsDevice: fc.array(rate) }),
    },
    { requiredKeys: [] },
  )
  forAll(demand, (resources) => {
    const once = mergeResources(containers(resources))
    expect(mergeResources(containers(once))).toEqual(once)
  })
})
