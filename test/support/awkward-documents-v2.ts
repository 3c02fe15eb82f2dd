import type { LinuxResources } from '../../src/model/generated/oci'
import type { TableDevice } from './resource-tables'

/** What at least one of several runtimes can be expected to refuse on cgroup v2, or to read in a way of its own. */
export function awkwardDocumentsV2(disk: TableDevice): readonly LinuxResources[] {
  return [
    { cpu: { shares: 1 } },
    { cpu: { shares: 262_145 } },
    { cpu: { quota: 999 } },
    { cpu: { quota: -5 } },
    { cpu: { quota: 4_000_000, period: 2_000_000 } },
    { cpu: { period: 2_000_000 } },
    { cpu: { quota: 50_000, burst: 20_000 } },
    { cpu: { idle: 1 } },
    { cpu: { realtimeRuntime: 1_000 } },
    { cpu: { realtimePeriod: 1_000 } },
    { cpu: { cpus: '5-1' } },
    { cpu: { cpus: ' 0' } },
    { cpu: { cpus: '4095' } },
    { memory: { limit: 2 ** 28, swap: 2 ** 27 } },
    { memory: { limit: -1, swap: 2 ** 28 } },
    { memory: { swap: 2 ** 28 } },
    { memory: { limit: -2 } },
    { memory: { swappiness: 10 } },
    { memory: { disableOOMKiller: true } },
    { memory: { kernel: 2 ** 28 } },
    { memory: { kernelTCP: 2 ** 28 } },
    { memory: { useHierarchy: false } },
    { memory: { useHierarchy: true } },
    { memory: { kernel: -1, kernelTCP: -1 } },
    { memory: { limit: -1, checkBeforeUpdate: true } },
    { pids: { limit: 0 } },
    { pids: { limit: -5 } },
    { pids: { limit: 4_194_305 } },
    { blockIO: { weight: 300 } },
    { blockIO: { weight: 1001 } },
    { blockIO: { leafWeight: 500 } },
    { blockIO: { throttleReadBpsDevice: [{ ...disk, rate: 1 }] } },
    { blockIO: { throttleReadIOPSDevice: [{ ...disk, rate: 2 ** 32 }] } },
    { blockIO: { throttleReadBpsDevice: [{ major: 4095, minor: 0, rate: 2 }] } },
    { network: { classID: 5 } },
    { unified: { 'memory.max': '-1' } },
    { unified: { '../memory.max': 'max' } },
    { unified: { memory: '1' } },
    { unified: { 'no.such': '1' } },
    { unified: { 'cpu.weight': '20000' } },
    { unified: { 'io.max': `${disk.major}:${disk.minor} rbps=0` } },
    { unified: { 'memory.max': '' } },
  ]
}

/** Changes in which the order of the writes counts, or in which a 0 can be taken for "not set". */
export const awkwardUpdatesV2: readonly (readonly [before: LinuxResources, after: LinuxResources])[] = [
  [{ cpu: { quota: 400_000, period: 100_000 } }, { cpu: { quota: 4_000, period: 10_000 } }],
  [{ cpu: { quota: 50_000, period: 100_000 } }, { cpu: { quota: -1, period: 100_000 } }],
  [{ cpu: { quota: 50_000, period: 50_000 } }, { cpu: { quota: 20_000 } }],
  [{ cpu: { quota: 50_000, period: 50_000 } }, { cpu: { period: 100_000 } }],
  [{ cpu: { shares: 262_144 } }, { cpu: { shares: 2 } }],
  [{ memory: { limit: 2 ** 26, swap: 2 ** 26 } }, { memory: { limit: 2 ** 28, swap: 2 ** 29 } }],
  [{ memory: { limit: 2 ** 28, swap: 2 ** 29 } }, { memory: { limit: 2 ** 26, swap: 2 ** 26 } }],
  [{ memory: { limit: 2 ** 26, swap: 2 ** 27 } }, { memory: { limit: -1 } }],
  [{ memory: { limit: 2 ** 26, swap: 2 ** 27 } }, { memory: { limit: 2 ** 26, swap: -1 } }],
  [{ pids: { limit: 100 } }, { pids: { limit: -1 } }],
]
