import type { LinuxBlockIo } from '../generated/oci'
import { deviceName } from './block-device'
import { blkioWeightToIoWeight } from './conversions-v2'
import { entries, integer, integerUnlessZero, type Range, refuse } from './fields'
import { isKept } from './kept'
import type { Demand, DemandContext } from './knob'
import { noKnobOnV2 } from './unsupported'

const WEIGHT = 'io.weight'
const BFQ_WEIGHT = 'io.bfq.weight'
const MAX = 'io.max'

const OCI_RANGE: Range = { min: 10, max: 1000, note: ', the weights of blkio' }
const BFQ_RANGE: Range = { min: 1, max: 1000, note: ', the weights of bfq' }

/** The operations go through 32 bits (block/blk-throttle.c, tg_set_limit), and all ones is "no limit". */
const IOPS_RANGE: Range = { min: 0, max: 2 ** 32 - 2, note: ' operations per second (0 is no limit)' }
const BPS_RANGE: Range = { min: 0, max: Number.MAX_SAFE_INTEGER, note: ' bytes per second (0 is no limit)' }

const LIMITS = [
  ['throttleReadBpsDevice', 'rbps', BPS_RANGE],
  ['throttleWriteBpsDevice', 'wbps', BPS_RANGE],
  ['throttleReadIOPSDevice', 'riops', IOPS_RANGE],
  ['throttleWriteIOPSDevice', 'wiops', IOPS_RANGE],
] as const

/**
 * What `linux.resources.blockIO` asks of the io controller of v2. Weights go to BFQ as they are where it has its knob,
 * and else to `io.weight`, converted; a weight of 0 is "not set". A later entry for the same device wins, and a rate of
 * 0 is no limit.
 *
 * Source: OCI runtime-spec config-linux.md, block IO; kernel, cgroup-v2.rst, IO interface files; block/blk-iocost.c,
 * block/bfq-cgroup.c.
 */
export function ioDemands(blockIO: LinuxBlockIo, context: DemandContext): readonly Demand[] {
  refuseLeafWeights(blockIO, context)
  return [...weightDemands(blockIO, context), ...limitDemands(blockIO)]
}

function weightDemands(blockIO: LinuxBlockIo, { now }: DemandContext): Demand[] {
  const isBfq = now.areKnown && now.has(BFQ_WEIGHT)
  const file = isBfq ? BFQ_WEIGHT : WEIGHT
  const demand = (field: string, key: string, given: unknown): Demand[] => {
    const weight = integerUnlessZero(field, given, isBfq ? BFQ_RANGE : OCI_RANGE)
    if (weight === undefined) return []
    return [ioDemand(file, `${key} ${isBfq ? weight : blkioWeightToIoWeight(weight)}`, field)]
  }
  const devices = entries('blockIO.weightDevice', blockIO.weightDevice)
  return [
    ...demand('blockIO.weight', 'default', blockIO.weight),
    ...devices.flatMap(([field, entry]) => demand(`${field}.weight`, deviceName(field, entry), entry.weight)),
  ]
}

/** One demand per device and limit, the limits of a device behind each other. */
function limitDemands(blockIO: LinuxBlockIo): readonly Demand[] {
  const byDevice = new Map<string, Demand[]>()
  for (const [name, limit, range] of LIMITS) {
    for (const [entryField, entry] of entries(`blockIO.${name}`, blockIO[name])) {
      const device = deviceName(entryField, entry)
      const value = limitValue(`${entryField}.rate`, entry.rate, range)
      if (value === undefined) continue
      const others = byDevice.get(device) ?? []
      byDevice.set(device, [...others, ioDemand(MAX, `${device} ${limit}=${value}`, `${entryField}.rate`)])
    }
  }
  return [...byDevice.values()].flat()
}

/** `rbps=0` is ERANGE and `rbps=1` EINVAL (block/blk-throttle.c, tg_set_limit). */
function limitValue(field: string, rate: unknown, range: Range): string | undefined {
  const number = integer(field, rate, range)
  if (number === 1) {
    const why = 'is less than the 2 per second that io.max takes at least'
    throw refuse('ERR_VMCG_OUT_OF_RANGE', field, rate, why, 'set 2 or more, or 0 for no limit')
  }
  return number === 0 ? 'max' : number?.toString()
}

function ioDemand(file: string, value: string, field: string): Demand {
  return { controller: 'io', file, value, field }
}

function refuseLeafWeights({ leafWeight, weightDevice }: LinuxBlockIo, context: DemandContext): void {
  const given = [
    ['blockIO.leafWeight', leafWeight] as const,
    ...entries('blockIO.weightDevice', weightDevice).map(
      ([field, entry]) => [`${field}.leafWeight`, entry.leafWeight] as const,
    ),
  ]
  for (const [field, value] of given) {
    const weight = integerUnlessZero(field, value, OCI_RANGE)
    if (weight === undefined) continue
    const why = 'a cgroup whose children have the io controller holds no processes of its own'
    context.onUnsupported(
      noKnobOnV2(field, weight, why, `leave ${field} out, and set the weights of the children`),
    )
  }
}

/**
 * BFQ's weight for all devices also takes away what single devices had, so it goes first, and when it is written the
 * devices' weights are written again.
 */
export function arrangeIo(demands: readonly Demand[], { now }: DemandContext): readonly Demand[] {
  const isWhole = ({ file, value }: Demand) => file === BFQ_WEIGHT && value.startsWith('default ')
  const whole = demands.filter(isWhole)
  const isWritten = whole.some(({ file, value }) => !isKept(file, value, now.text(file) ?? ''))
  const others = demands.filter((demand) => !isWhole(demand))
  return [
    ...whole,
    ...others.map((demand) =>
      isWritten && demand.file === BFQ_WEIGHT && demand.field !== undefined
        ? { ...demand, isReset: true }
        : demand,
    ),
  ]
}
