import type { LinuxBlockIo, LinuxThrottleDevice } from '../generated/oci'
import { deviceName } from './block-device'
import { entries, integer, integerUnlessZero, type Range } from './fields'
import { isKept } from './kept'
import { isKeyed, placeOf } from './keyed-lines'
import type { Demand, DemandContext } from './knob'

const BFQ_WEIGHT = 'blkio.bfq.weight'
const LEAF_WEIGHT = 'blkio.leaf_weight'

const CFQ_RANGE: Range = { min: 10, max: 1000, note: ', the weights of blkio' }
const BFQ_RANGE: Range = { min: 1, max: 1000, note: ', the weights of bfq' }

/**
 * The operations go through 32 bits (block/blk-throttle.c, tg_set_conf): all ones is "no limit", and one more is 0,
 * with which the device would stand still. The bytes have 64 bits.
 */
const IOPS_RANGE: Range = { min: 0, max: 2 ** 32 - 2, note: ' operations per second (0 is no limit)' }
const BPS_RANGE: Range = { min: 0, max: Number.MAX_SAFE_INTEGER, note: ' bytes per second (0 is no limit)' }

const THROTTLES = [
  ['throttleReadBpsDevice', 'blkio.throttle.read_bps_device', BPS_RANGE],
  ['throttleWriteBpsDevice', 'blkio.throttle.write_bps_device', BPS_RANGE],
  ['throttleReadIOPSDevice', 'blkio.throttle.read_iops_device', IOPS_RANGE],
  ['throttleWriteIOPSDevice', 'blkio.throttle.write_iops_device', IOPS_RANGE],
] as const

/**
 * What `linux.resources.blockIO` asks of the blkio controller. Weights go to the scheduler that the kernel has: CFQ's
 * `blkio.weight` until Linux 5.0, BFQ's `blkio.bfq.weight` since; a weight of 0 is "not set". A later entry for the
 * same device wins, and a rate of 0 takes its rule away.
 *
 * Source: OCI runtime-spec config-linux.md, block IO; block/bfq-cgroup.c, block/blk-throttle.c.
 */
export function blkioDemands(blockIO: LinuxBlockIo, { now }: DemandContext): Demand[] {
  const isCfq = now.areKnown && now.has('blkio.weight')
  const weight = isCfq ? 'blkio.weight' : BFQ_WEIGHT
  const range = isCfq ? CFQ_RANGE : BFQ_RANGE
  const devices = entries('blockIO.weightDevice', blockIO.weightDevice)
  const lines = [
    ...devices.flatMap(([field, entry]) =>
      line(
        `${weight}_device`,
        `${field}.weight`,
        deviceName(field, entry),
        integerUnlessZero(`${field}.weight`, entry.weight, range),
      ),
    ),
    ...devices.flatMap(([field, entry]) =>
      line(
        `${LEAF_WEIGHT}_device`,
        `${field}.leafWeight`,
        deviceName(field, entry),
        integerUnlessZero(`${field}.leafWeight`, entry.leafWeight, CFQ_RANGE),
      ),
    ),
    ...THROTTLES.flatMap(([name, file, rates]) =>
      throttleLines(`blockIO.${name}`, file, blockIO[name], rates),
    ),
  ]
  return [
    ...one(weight, 'blockIO.weight', integerUnlessZero('blockIO.weight', blockIO.weight, range)),
    ...one(
      LEAF_WEIGHT,
      'blockIO.leafWeight',
      integerUnlessZero('blockIO.leafWeight', blockIO.leafWeight, CFQ_RANGE),
    ),
    ...new Map(lines.map((demand) => [placeOf(demand), demand])).values(),
  ]
}

function one(file: string, field: string, value: number | undefined): Demand[] {
  return value === undefined ? [] : [{ controller: 'blkio', file, value: String(value), field }]
}

function line(file: string, field: string, device: string, value: number | undefined): Demand[] {
  return value === undefined ? [] : [{ controller: 'blkio', file, value: `${device} ${value}`, field }]
}

function throttleLines(
  field: string,
  file: string,
  devices: readonly LinuxThrottleDevice[] | undefined,
  range: Range,
): Demand[] {
  return entries(field, devices).flatMap(([name, entry]) =>
    line(file, `${name}.rate`, deviceName(name, entry), integer(`${name}.rate`, entry.rate, range)),
  )
}

/**
 * BFQ's weight for all devices also takes away what single devices had (block/bfq-cgroup.c,
 * bfq_io_set_weight_legacy), so it goes first, and when it is written the devices' weights are written again.
 */
export function arrangeBlkio(demands: readonly Demand[], { now }: DemandContext): Demand[] {
  const whole = demands.filter(({ file }) => !isKeyed(file))
  const lines = demands.filter(({ file }) => isKeyed(file))
  const weight = whole.find(({ file }) => file === BFQ_WEIGHT)
  const isWritten = weight !== undefined && !isKept(weight.file, weight.value, now.text(weight.file) ?? '')
  return [
    ...whole,
    ...lines.map((demand) =>
      isWritten && demand.file === `${BFQ_WEIGHT}_device` && demand.field !== undefined
        ? { ...demand, isReset: true }
        : demand,
    ),
  ]
}
