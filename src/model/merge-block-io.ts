import type { LinuxBlockIo, LinuxThrottleDevice, LinuxWeightDevice } from './generated/oci'

interface BlockDevice {
  readonly major: number
  readonly minor: number
}

/** The greatest of the values that are set and above 0; a weight or rate of 0 means "none". */
function largest(values: readonly (number | undefined)[]): number | undefined {
  const greatest = values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0)
  return greatest > 0 ? greatest : undefined
}

/** The entries by device, in the order of the devices' numbers. */
function byDevice<Entry extends BlockDevice>(entries: readonly Entry[]): [Entry, ...Entry[]][] {
  const groups = new Map<string, [Entry, ...Entry[]]>()
  for (const entry of entries) {
    const key = `${entry.major}:${entry.minor}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [entry])
    else group.push(entry)
  }
  return [...groups.values()].sort(([a], [b]) => a.major - b.major || a.minor - b.minor)
}

function weights(entries: readonly LinuxWeightDevice[]): LinuxWeightDevice[] {
  return byDevice(entries).flatMap((group) => {
    const [{ major, minor }] = group
    const weight = largest(group.map((entry) => entry.weight))
    const leafWeight = largest(group.map((entry) => entry.leafWeight))
    if (weight === undefined && leafWeight === undefined) return []
    return [
      {
        major,
        minor,
        ...(weight !== undefined && { weight }),
        ...(leafWeight !== undefined && { leafWeight }),
      },
    ]
  })
}

function throttles(entries: readonly LinuxThrottleDevice[]): LinuxThrottleDevice[] {
  return byDevice(entries).flatMap((group) => {
    const [{ major, minor }] = group
    const rate = largest(group.map((entry) => entry.rate))
    return rate === undefined ? [] : [{ major, minor, rate }]
  })
}

const THROTTLES = [
  'throttleReadBpsDevice',
  'throttleWriteBpsDevice',
  'throttleReadIOPSDevice',
  'throttleWriteIOPSDevice',
] as const

/**
 * Block I/O of several containers: of each weight, and per device of each rate, the largest. A rate of 0 is no limit
 * (the kernel drops the rule) and counts for nothing.
 *
 * @returns undefined when none is set.
 */
export function mergeBlockIo(demands: readonly (LinuxBlockIo | undefined)[]): LinuxBlockIo | undefined {
  const set = demands.filter((demand) => demand !== undefined)
  const weight = largest(set.map((demand) => demand.weight))
  const leafWeight = largest(set.map((demand) => demand.leafWeight))
  const weightDevice = weights(set.flatMap((demand) => demand.weightDevice ?? []))
  const throttled = THROTTLES.map(
    (key) => [key, throttles(set.flatMap((demand) => demand[key] ?? []))] as const,
  )
  const merged: LinuxBlockIo = {
    ...(weight !== undefined && { weight }),
    ...(leafWeight !== undefined && { leafWeight }),
    ...(weightDevice.length > 0 && { weightDevice }),
    ...Object.fromEntries(throttled.filter(([, entries]) => entries.length > 0)),
  }
  return Object.keys(merged).length === 0 ? undefined : merged
}
