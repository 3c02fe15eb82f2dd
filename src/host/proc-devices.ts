/**
 * The major number that a block driver has on this kernel, from the text of /proc/devices: many are given out in the
 * order in which drivers come. undefined: no such driver is there.
 *
 * Source: proc(5), /proc/devices; drivers/md/dm.c registers as `device-mapper`.
 */
export function blockDriverMajor(text: string, driver: string): number | undefined {
  const [, blockDevices = ''] = text.split('Block devices:\n')
  const entries = blockDevices.split('\n').map((line) => /^ *(\d+) (.+)$/.exec(line))
  const major = entries.find((entry) => entry?.[2] === driver)?.[1]
  return major === undefined ? undefined : Number(major)
}
