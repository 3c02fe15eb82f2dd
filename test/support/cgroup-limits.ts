import { join } from 'node:path'
import { cpuSharesToWeight } from '../../src/model/resources/conversions-v2'
import { type Controller, hierarchyWith, isControlled, readKnob, writeKnob } from './cgroups'

// What limits a cgroup, by what it means: the words are the same on both versions, the files and their texts are not.

type Version = 1 | 2

/** The files, by version. */
const KNOBS = {
  quota: { controller: 'cpu', 1: 'cpu.cfs_quota_us', 2: 'cpu.max' },
  weight: { controller: 'cpu', 1: 'cpu.shares', 2: 'cpu.weight' },
  cpus: { controller: 'cpuset', 1: 'cpuset.cpus', 2: 'cpuset.cpus' },
  memory: { controller: 'memory', 1: 'memory.limit_in_bytes', 2: 'memory.max' },
  processes: { controller: 'pids', 1: 'pids.max', 2: 'pids.max' },
} as const satisfies Readonly<Record<string, { controller: Controller } & Readonly<Record<Version, string>>>>

export type Limit = keyof typeof KNOBS

/** The name of the file that holds a limit, such as `cpu.max`. */
export function knobOf(limit: Limit): string {
  const { controller, ...files } = KNOBS[limit]
  return files[hierarchyWith(controller).version]
}

function read(limit: Limit, path: string): string {
  return readKnob(KNOBS[limit].controller, path, knobOf(limit))
}

function write(limit: Limit, path: string, value: string | number): void {
  writeKnob(KNOBS[limit].controller, path, knobOf(limit), value)
}

/** In microseconds; a quota of null is none. */
export interface Quota {
  readonly quota: number | null
  readonly period: number
}

export function quotaOf(path: string): Quota {
  const [quota, period] =
    hierarchyWith('cpu').version === 1
      ? [read('quota', path), readKnob('cpu', path, 'cpu.cfs_period_us')]
      : read('quota', path).split(' ')
  return { quota: quota === '-1' || quota === 'max' ? null : Number(quota), period: Number(period) }
}

/** A quota as its file has it, with the period that a new cgroup has. */
export function quotaText(quota: number | null): string {
  return hierarchyWith('cpu').version === 1 ? String(quota ?? -1) : `${quota ?? 'max'} 100000`
}

/** The period stays. */
export function setQuota(path: string, quota: number): void {
  write('quota', path, quota)
}

/** In the unit of the version: see {@link threadsWeight}. */
export function weightOf(path: string): number {
  return Number(read('weight', path))
}

export function setWeight(path: string, weight: number): void {
  write('weight', path, weight)
}

/** What so many threads weigh together, beside others in the same cgroup; one is what a new cgroup weighs. */
export function threadsWeight(threads: number): number {
  return { 1: 1024, 2: 100 }[hierarchyWith('cpu').version] * threads
}

/** What a container's shares come to. */
export function sharesWeight(shares: number): number {
  return hierarchyWith('cpu').version === 1 ? shares : cpuSharesToWeight(shares)
}

/** The CPUs that its threads may run on, such as `0-3`. */
export function cpusOf(path: string): string {
  return listOf('cpuset.cpus', path)
}

/** The memory nodes that it may use, such as `0`. */
export function nodesOf(path: string): string {
  return listOf('cpuset.mems', path)
}

/** On v2 a cgroup that was given no cpuset has what the one above has. */
function listOf(file: string, path: string): string {
  if (hierarchyWith('cpuset').version === 1) return readKnob('cpuset', path, file)
  return isControlled(path, 'cpuset')
    ? readKnob('cpuset', path, `${file}.effective`)
    : listOf(file, join(path, '..'))
}

/** In bytes; null: not limited. */
export function memoryLimitOf(path: string): number | null {
  if (!isControlled(path, 'memory')) return null
  const text = read('memory', path)
  // v1 shows its largest number, in whole pages.
  return text === 'max' || Number(text) > 2 ** 62 ? null : Number(text)
}

/** In bytes. */
export function memoryUsageOf(path: string): number {
  const { version } = hierarchyWith('memory')
  return Number(readKnob('memory', path, version === 1 ? 'memory.usage_in_bytes' : 'memory.current'))
}

/** null: not limited. */
export function processLimitOf(path: string): number | null {
  if (!isControlled(path, 'pids')) return null
  const text = read('processes', path)
  return text === 'max' ? null : Number(text)
}

/** In how many periods its quota had somebody wait. */
export function throttledPeriods(path: string): number {
  return Number(/nr_throttled (\d+)/.exec(readKnob('cpu', path, 'cpu.stat'))?.[1] ?? 0)
}

/** The CPU time that its threads have used, in microseconds. */
export function usageUs(path: string): number {
  return hierarchyWith('cpuacct').version === 1
    ? Number(readKnob('cpuacct', path, 'cpuacct.usage')) / 1000
    : Number(/usage_usec (\d+)/.exec(readKnob('cpu', path, 'cpu.stat'))?.[1])
}
