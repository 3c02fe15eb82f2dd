import { isVmcgError } from '../../errors'
import { MAX_PERIOD_US, MAX_QUOTA_US, MIN_PERIOD_US, MIN_QUOTA_US } from '../cfs-bandwidth'
import { parseCpuList } from '../cpu-list'
import { bytesIn } from './echo-v2'
import { integer, type Range, refuse } from './fields'
import { isKeyed, lineKey } from './keyed-lines'
import { MAX_PIDS } from './pids'
import { isList } from './unlimited'

const MAX_WEIGHT = 10_000

/** Files that hold one number each, and its range. */
const RANGES: ReadonlyMap<string, Range> = new Map([
  ['cpu.weight', { min: 1, max: MAX_WEIGHT }],
  ['cpu.weight.nice', { min: -20, max: 19 }],
  ['cpu.idle', { min: 0, max: 1 }],
  ['cpu.max.burst', { min: 0, max: MAX_QUOTA_US, note: ' us' }],
  ['memory.oom.group', { min: 0, max: 1 }],
  ['memory.zswap.writeback', { min: 0, max: 1 }],
  ['cgroup.pressure', { min: 0, max: 1 }],
])

const BYTES = /^(?:max|\d+[KMGTPEkmgtpe]?)$/

/** What a value must look like, in the kernel's own documents. */
const FORMS: readonly (readonly [files: RegExp, form: RegExp, example: string])[] = [
  [/^cpu\.max$/, /^(?:max|\d+)(?: \d+)?$/, '50000 100000 or max'],
  [/^cpu\.uclamp\.(?:min|max)$/, /^(?:max|\d{1,3}(?:\.\d{1,2})?)$/, '12.50 or max'],
  [/^memory\.(?:min|low|high|max|swap\.high|swap\.max|zswap\.max)$/, BYTES, '268435456, 256M or max'],
  [/^hugetlb\.[^.]+\.(?:rsvd\.)?max$/, BYTES, '1073741824, 1G or max'],
  [/^(?:pids\.max|cgroup\.max\.(?:depth|descendants))$/, /^(?:max|\d+)$/, '100 or max'],
  [
    /^io\.max$/,
    /^\d+:\d+(?: [rw](?:bps|iops)=(?:max|0*(?:[2-9]|[1-9]\d+)))+$/,
    '8:0 rbps=1048576 wiops=max, with rates from 2',
  ],
  [/^io\.latency$/, /^\d+:\d+ target=(?:max|\d+)$/, '8:0 target=10000'],
  [/^io\.(?:bfq\.)?weight$/, /^(?:default \d+|\d+:\d+ (?:default|\d+))$/, 'default 100 or 8:0 50'],
  [/^rdma\.max$/, /^\S+(?: hca_(?:handle|object)=(?:max|\d+))+$/, 'mlx5_0 hca_handle=2 hca_object=max'],
  [/^misc\.max$/, /^\S+ (?:max|\d+)$/, 'sev 3 or sev max'],
]

const MAX_INT = 2n ** 31n - 1n
const MAX_U64 = 2n ** 64n - 1n

/**
 * The range of every number in files of these forms. Beyond it the kernel answers ERANGE or EINVAL, and what it reads
 * with sscanf wraps around: block/blk-iocost.c, bfq-cgroup.c, blk-throttle.c, blk-iolatency.c; kernel/cgroup/pids.c,
 * rdma.c, misc.c, cgroup.c.
 */
const NUMBERS: readonly (readonly [files: RegExp, min: bigint, max: bigint])[] = [
  [/^io\.weight$/, 1n, BigInt(MAX_WEIGHT)],
  [/^io\.bfq\.weight$/, 1n, 1_000n],
  [/^io\.latency$/, 0n, MAX_U64 / 1_000n],
  [/^(?:io|misc)\.max$/, 0n, MAX_U64],
  [/^pids\.max$/, 0n, BigInt(MAX_PIDS)],
  [/^(?:rdma\.max|cgroup\.max\.(?:depth|descendants))$/, 0n, MAX_INT],
]

/** lib/kstrtox.c with base 0, and lib/cmdline.c, memparse. `cpu.max`, `io.*` and lists of CPUs are read in base 10. */
const LEADING_ZERO = /(?:^-?|[\s=])0\d/

function isReadInBase8(file: string): boolean {
  return !/^(?:cpu\.max$|cpu\.uclamp|io\.)/.test(file) && !isList(file)
}

/** Of the files that are known here. */
export function holdsOneValue(file: string): boolean {
  return !isKeyed(file) && (RANGES.has(file) || isList(file) || FORMS.some(([files]) => files.test(file)))
}

/**
 * Refuses a line of a value that the kernel could not read, for the files that are known here; what is written to
 * others is for the kernel to judge.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT`, `ERR_VMCG_OUT_OF_RANGE`.
 */
export function refuseValue(file: string, field: string, value: string): void {
  if (isReadInBase8(file) && LEADING_ZERO.test(value)) {
    const why = 'begins with 0, which the kernel takes for base 8'
    throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, value, why, 'leave the zeros out')
  }
  const range = RANGES.get(file)
  if (range !== undefined) integer(field, /^-?\d+$/.test(value) ? Number(value) : value, range)
  const [, form, example] = FORMS.find(([files]) => files.test(file)) ?? []
  if (form?.test(value) === false) {
    throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, value, 'is malformed', `write it as ${example}`)
  }
  if (form === BYTES) refuseOverflow(field, value)
  else if (form !== undefined && !isList(file)) refuseNumbers(file, field, value)
  if (file.startsWith('cpu.uclamp.')) refusePercentage(field, value)
  if (isList(file)) refuseList(field, value)
  if (file === 'cpu.max') refuseBandwidth(field, value)
}

/** The kernel adds up 64 bits and loses what is beyond them (lib/cmdline.c, memparse). */
function refuseOverflow(field: string, value: string): void {
  if (value === 'max' || bytesIn(value) < 2n ** 63n) return
  const why = 'is beyond what the kernel counts'
  throw refuse('ERR_VMCG_OUT_OF_RANGE', field, value, why, 'write max for no limit')
}

function refuseNumbers(file: string, field: string, value: string): void {
  const [, min = 0n, max = MAX_U64] = NUMBERS.find(([files]) => files.test(file)) ?? []
  const text = isKeyed(file) ? value.slice(lineKey(value).length) : value
  for (const number of (text.match(/\d+/g) ?? []).map(BigInt)) {
    if (number >= min && number <= max) continue
    throw refuse('ERR_VMCG_OUT_OF_RANGE', field, value, `is not from ${min} to ${max}`)
  }
}

/** kernel/sched/core.c, capacity_from_percent: ERANGE. */
function refusePercentage(field: string, value: string): void {
  if (value === 'max' || Number(value) <= 100) return
  throw refuse('ERR_VMCG_OUT_OF_RANGE', field, value, 'is not from 0.00 to 100.00, in percent')
}

function refuseList(field: string, value: string): void {
  try {
    parseCpuList(value)
  } catch (error) {
    if (!isVmcgError(error)) throw error
    const why = `is malformed: ${error.message}`
    throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, value, why, 'write numbers and ranges, such as 0-3,8')
  }
}

function refuseBandwidth(field: string, value: string): void {
  const [quota, period] = value.split(' ')
  const limits = { min: MIN_QUOTA_US, max: MAX_QUOTA_US, note: ' us (the quota)' }
  if (quota !== 'max') integer(field, Number(quota), limits)
  const periods = { min: MIN_PERIOD_US, max: MAX_PERIOD_US, note: ' us (the period)' }
  if (period !== undefined) integer(field, Number(period), periods)
}
