import { deepFreeze } from '../freeze'
import type { LinuxDeviceCgroup } from '../generated/oci'

function character(major: number, minor?: number): LinuxDeviceCgroup {
  return { allow: true, type: 'c', major, ...(minor !== undefined && { minor }), access: 'rwm' }
}

/**
 * What every container may have, after all other rules: each node may be made (not opened), and the devices of the
 * standard `/dev`. They are the numbers of the kernel's own list and no look-up: Documentation/admin-guide/devices.txt.
 *
 * Source: runc, libcontainer/specconv, the devices that it appends to every list of rules.
 */
export const DEFAULT_DEVICES: readonly LinuxDeviceCgroup[] = deepFreeze([
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  // null, random, full
  character(1, 3),
  character(1, 8),
  character(1, 7),
  // tty
  character(5, 0),
  // zero, urandom
  character(1, 5),
  character(1, 9),
  // pts/*, ptmx
  character(136),
  character(5, 2),
  // net/tun
  character(10, 200),
])
