import type { LinuxPids } from '../generated/oci'
import { integer } from './fields'
import type { Demand } from './knob'

/** PID_MAX_LIMIT of include/linux/threads.h on 64 bits; pids.max is EINVAL beyond it. */
export const MAX_PIDS = 4_194_304

/**
 * What `linux.resources.pids` asks of the pids controller: -1 is no limit, and 0 a limit of no task at all, as the
 * spec's text has it. The kernel takes that 0: tasks may still be moved in, but none there can fork.
 *
 * Source: OCI runtime-spec config-linux.md, pids; kernel/cgroup/pids.c, pids_max_write.
 */
export function pidsDemands(pids: LinuxPids | undefined): Demand[] {
  const note = ' tasks (-1 is no limit)'
  const limit = integer('pids.limit', pids?.limit, { min: -1, max: MAX_PIDS, note })
  if (limit === undefined) return []
  const value = limit === -1 ? 'max' : String(limit)
  return [{ controller: 'pids', file: 'pids.max', value, field: 'pids.limit' }]
}
