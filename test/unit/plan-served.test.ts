import type { LinuxResources } from '../../src/model/generated/oci'
import { planSandbox } from '../../src/plan/plan-sandbox'
import { served } from '../../src/plan/served'
import { desired, hierarchy, observed } from '../support/sandbox-states'

const V1 = ['cpu', 'memory', 'net_cls', 'pids']
const V2 = ['cpu', 'memory', 'pids']

function means(version: 1 | 2, withheld: readonly string[] = []) {
  const mounted = version === 1 ? V1 : V2
  const versionOf = (controller: string) => (mounted.includes(controller) ? version : undefined)
  return { versionOf, withheld, hugePageSizes: () => ['2MB'] }
}

const rdma = { mlx5_0: { hcaHandles: 1 } }
const priorities = [{ name: 'lo', priority: 1 }]
const pids = { limit: 5 }

describe('what a host has no controller for', () => {
  it.each<[string, 1 | 2, LinuxResources, LinuxResources, RegExp]>([
    ['rdma on v1', 1, { pids, rdma }, { pids }, /rdma\.max: the rdma controller is not mounted/],
    ['rdma on v2', 2, { pids, rdma }, { pids }, /rdma\.max: the rdma controller is not mounted/],
    [
      'one of the two of network',
      1,
      { network: { classID: 1, priorities } },
      { network: { classID: 1 } },
      /net_prio\.ifpriomap: the net_prio controller/,
    ],
    [
      'the lists of cpu',
      1,
      { cpu: { cpus: '0', shares: 512 } },
      { cpu: { shares: 512 } },
      /cpuset\.cpus: the cpuset controller/,
    ],
    [
      'a file of unified',
      2,
      { unified: { 'misc.max': 'sev 1', 'pids.max': '5' } },
      { unified: { 'pids.max': '5' } },
      /misc\.max: the misc controller/,
    ],
    [
      'a size of huge pages',
      1,
      { hugepageLimits: [{ pageSize: '4MB', limit: 0 }] },
      { hugepageLimits: [] },
      /"4MB" is for a size/,
    ],
  ])('is left out and told: %s', (_, version, resources, rest, message) => {
    const { resources: left, leftOut } = served(resources, 'warn', means(version))
    expect(left).toEqual(rest)
    expect(leftOut[0]).toMatch(message)
    expect(leftOut).toHaveLength(1)
  })

  it.each<[string, 1 | 2, LinuxResources]>([
    ['network on v2, where its own rule says what there is instead', 2, { network: { classID: 1 } }],
    ['files that every cgroup of v2 has', 2, { unified: { 'cgroup.max.depth': '5' } }],
    ['time without a cpu controller: nothing goes without it', 1, { cpu: { quota: 50_000 } }],
  ])('is passed on: %s', (_, version, resources) => {
    const { versionOf, ...others } = means(version)
    const withoutCpu = (name: string) => (version === 1 && name === 'cpu' ? undefined : versionOf(name))
    expect(served(resources, 'warn', { ...others, versionOf: withoutCpu })).toEqual({
      resources,
      leftOut: [],
    })
  })

  it('is passed on where it is only not given to this user', () => {
    expect(served({ rdma }, 'warn', means(1, ['rdma']))).toEqual({ resources: { rdma }, leftOut: [] })
  })

  it('is passed on, and refused, where nothing is to be left out', () => {
    expect(served({ rdma }, 'error', means(1))).toEqual({ resources: { rdma }, leftOut: [] })
  })
})

it('a plan warns of what was left out', () => {
  const leftOut = ['rdma.max: the rdma controller is not mounted']
  const { warnings } = planSandbox(desired({ leftOut }), observed([hierarchy('cpu')]))
  expect(warnings).toEqual(['vm1: rdma.max: the rdma controller is not mounted; it is left out'])
})
