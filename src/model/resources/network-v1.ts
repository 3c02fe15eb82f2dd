import type { LinuxInterfacePriority, LinuxNetwork } from '../generated/oci'
import { entries, integer, refuse, requiredInteger } from './fields'
import { placeOf } from './keyed-lines'
import type { Demand } from './knob'

const UINT32 = { min: 0, max: 2 ** 32 - 1 }

/** What `linux.resources.network.classID` asks of the net_cls controller; the kernel shows the number in decimal. */
export function netClsDemands(network: LinuxNetwork): Demand[] {
  const classId = integer('network.classID', network.classID, UINT32)
  if (classId === undefined) return []
  const value = String(classId)
  return [{ controller: 'net_cls', file: 'net_cls.classid', value, field: 'network.classID' }]
}

/**
 * What `linux.resources.network.priorities` asks of the net_prio controller, one line per interface. A later entry for
 * the same interface wins.
 *
 * Source: kernel, Documentation/admin-guide/cgroup-v1/net_prio.rst.
 */
export function netPrioDemands(network: LinuxNetwork): Demand[] {
  const demands = entries('network.priorities', network.priorities).map(([field, entry]) =>
    priority(field, entry),
  )
  return [...new Map(demands.map((demand) => [placeOf(demand), demand])).values()]
}

function priority(field: string, entry: LinuxInterfacePriority): Demand {
  const name = interfaceName(`${field}.name`, entry.name)
  const value = requiredInteger(`${field}.priority`, entry.priority, UINT32)
  return {
    controller: 'net_prio',
    file: 'net_prio.ifpriomap',
    value: `${name} ${value}`,
    field: `${field}.priority`,
  }
}

/** As net/core/dev.c, dev_valid_name: below IFNAMSIZ, without a slash, a colon or a blank, and neither `.` nor `..`. */
function interfaceName(field: string, name: unknown): string {
  const isName = typeof name === 'string' && /^[^\s/:\0]+$/.test(name) && name !== '.' && name !== '..'
  if (isName && Buffer.byteLength(name) <= 15) return name
  throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, name, 'is no name of a network interface')
}
