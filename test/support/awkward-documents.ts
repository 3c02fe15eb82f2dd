import type { LinuxResources } from '../../src/model/generated/oci'
import { ociRule } from './device-rules'
import type { TableDevice } from './resource-tables'

/** Lists of device rules in which wildcards, orders and types meet. */
export const deviceDocuments: readonly (readonly [name: string, resources: LinuxResources])[] = [
  ['deny a *:* rwm'],
  ['allow a *:* rwm'],
  ['allow a *:* rwm', 'deny a *:* rwm', 'allow c 1:11 r'],
  ['allow b *:* rwm', 'allow c *:* rwm'],
  ['allow c 1:3 r', 'allow c 1:3 w'],
  ['deny a *:* rwm', 'allow c 10:99 rwm', 'allow b 253:* r'],
  ['allow c 10:99 rwm', 'deny c 10:99 w'],
  ['allow c 10:99 rwm', 'deny c 10:99 rwm'],
  ['deny c 10:229 rwm', 'allow c 10:229 r'],
  ['allow c 10:* rw', 'deny c 10:229 rw'],
  ['allow a *:* rwm', 'deny c 10:99 rwm'],
  ['allow c 10:99 rwm', 'deny c 10:* rwm'],
  ['allow c 10:99 rwm', 'deny c *:* w'],
  ['allow c 10:99 rwm', 'deny a *:* w'],
  ['allow a 10:99 r'],
  ['allow c *:232 r'],
  ['allow c -1:-1 r'],
  ['allow c 10:99 rr'],
].map((texts) => [texts.join(', '), { devices: texts.map(ociRule) }] as const)

/** What at least one of two runtimes can be expected to refuse, or to read in a way of its own. */
export function awkwardDocuments(disk: TableDevice): readonly LinuxResources[] {
  return [
    { cpu: { shares: 1 } },
    { cpu: { shares: 262_145 } },
    { cpu: { quota: 999 } },
    { cpu: { quota: -5 } },
    { cpu: { period: 2_000_000 } },
    { cpu: { realtimeRuntime: 300_000 } },
    { cpu: { cpus: '5-1' } },
    { cpu: { cpus: ' 0' } },
    { cpu: { cpus: '4095' } },
    { memory: { limit: 2 ** 28, swap: 2 ** 27 } },
    { memory: { limit: -1, swap: 2 ** 28 } },
    { memory: { swap: 2 ** 28 } },
    { memory: { limit: -2 } },
    { memory: { swappiness: 101 } },
    { memory: { kernel: 2 ** 28 } },
    { memory: { kernelTCP: 2 ** 28 } },
    { memory: { useHierarchy: false } },
    { pids: { limit: -5 } },
    { pids: { limit: 4_194_305 } },
    { blockIO: { weight: 1001 } },
    { blockIO: { leafWeight: 500 } },
    { blockIO: { throttleReadIOPSDevice: [{ ...disk, rate: 2 ** 32 }] } },
    { blockIO: { throttleReadBpsDevice: [{ major: 4095, minor: 0, rate: 1 }] } },
    { devices: [{ allow: true, type: 'c', major: 10 }] },
    { devices: [{ allow: true, type: 'c', major: -2, minor: 3, access: 'r' }] },
    { devices: [{ allow: true, type: 'c', major: 10, minor: 3, access: 'x' }] },
    { unified: { 'memory.high': '1' } },
  ]
}

/** Changes in which the order of the writes counts, or in which a 0 can be taken for "not set". */
export const awkwardUpdates: readonly (readonly [before: LinuxResources, after: LinuxResources])[] = [
  [{ cpu: { quota: 400_000, period: 100_000 } }, { cpu: { quota: 4_000, period: 10_000 } }],
  [{ cpu: { quota: 4_000, period: 10_000 } }, { cpu: { quota: 4_000_000, period: 1_000_000 } }],
  [{ cpu: { quota: 50_000, period: 50_000 } }, { cpu: { quota: -1 } }],
  [{ cpu: { shares: 512, quota: 50_000 } }, { cpu: { shares: 0, quota: 0 } }],
  [{ cpu: { realtimeRuntime: 1_000 } }, { cpu: { realtimeRuntime: 0 } }],
  [{ cpu: { realtimeRuntime: 5_000 } }, { cpu: { realtimeRuntime: 100, realtimePeriod: 10_000 } }],
  [{ memory: { limit: 2 ** 26, swap: 2 ** 26 } }, { memory: { limit: 2 ** 28, swap: 2 ** 29 } }],
  [{ memory: { limit: 2 ** 28, swap: 2 ** 29 } }, { memory: { limit: 2 ** 26, swap: 2 ** 26 } }],
  [{ memory: { limit: 2 ** 26, swap: 2 ** 27 } }, { memory: { limit: 2 ** 28 } }],
  [{ memory: { limit: 2 ** 26, swap: 2 ** 27 } }, { memory: { limit: -1 } }],
  [{ memory: { limit: 2 ** 26, swap: 2 ** 27 } }, { memory: { swap: -1 } }],
  [{ pids: { limit: 100 } }, { pids: { limit: -1 } }],
  [{ blockIO: { weight: 300 } }, { blockIO: { weight: 0 } }],
]
