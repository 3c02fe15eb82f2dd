import type { LinuxRdma } from '../generated/oci'
import { integer, refuse, section } from './fields'
import type { Demand } from './knob'

/** The kernel reads int, and shows the largest one as `max`. */
const COUNT = { min: 0, max: 2 ** 31 - 2 }

const NAMES = { hcaHandles: 'hca_handle', hcaObjects: 'hca_object' } as const

/**
 * What `linux.resources.rdma` asks of the rdma controller, one write per device and limit: the kernel leaves alone what
 * a write does not name.
 *
 * Source: OCI runtime-spec config-linux.md, rdma; kernel/cgroup/rdma.c, rdmacg_parse_limits.
 */
export function rdmaDemands(rdma: Readonly<Record<string, LinuxRdma>>): Demand[] {
  return Object.entries(rdma).flatMap(([device, given]) => {
    if (!/^[^\s/\0]+$/.test(device) || device === '.' || device === '..') {
      throw refuse('ERR_VMCG_INVALID_ARGUMENT', 'rdma', device, 'is no name of an RDMA device')
    }
    const limits = section(`rdma.${device}`, given) ?? {}
    return (['hcaHandles', 'hcaObjects'] as const).flatMap((name) => {
      const field = `rdma.${device}.${name}`
      const value = integer(field, limits[name], COUNT)
      if (value === undefined) return []
      return [{ controller: 'rdma', file: 'rdma.max', value: `${device} ${NAMES[name]}=${value}`, field }]
    })
  })
}
