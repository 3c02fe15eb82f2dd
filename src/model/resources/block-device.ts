import { requiredInteger } from './fields'

/**
 * dev_t of include/linux/kdev_t.h: 12 and 20 bits. The kernel shifts without a look, so a larger one is another device.
 */
const MAX_MAJOR = 2 ** 12 - 1
const MAX_MINOR = 2 ** 20 - 1

/** A device as blkio knobs name it, such as `'8:0'`. Throws for numbers that no block device has. */
export function deviceName(
  field: string,
  device: { readonly major: number; readonly minor: number },
): string {
  const major = requiredInteger(`${field}.major`, device.major, { min: 0, max: MAX_MAJOR })
  const minor = requiredInteger(`${field}.minor`, device.minor, { min: 0, max: MAX_MINOR })
  return `${major}:${minor}`
}
