import { isVmcgError } from '../../errors'
import { canonicalCpuList } from '../cpu-list'
import type { LinuxCpu } from '../generated/oci'
import { refuse } from './fields'
import type { Demand } from './knob'

/**
 * What `linux.resources.cpu.cpus` and `.mems` ask of the cpuset controller, in canonical form. An empty list is "not
 * set": such a cpuset follows its parent, which is for whoever makes the cgroup to see to.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no list of CPUs or nodes.
 */
export function cpusetDemands(cpu: LinuxCpu): Demand[] {
  return [...listDemand('cpus', cpu.cpus), ...listDemand('mems', cpu.mems)]
}

function listDemand(name: 'cpus' | 'mems', list: string | undefined): Demand[] {
  if (list === undefined || list === '') return []
  const field = `cpu.${name}`
  if (typeof list !== 'string') throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, list, 'is no text')
  return [{ controller: 'cpuset', file: `cpuset.${name}`, value: canonical(field, list), field }]
}

function canonical(field: string, list: string): string {
  try {
    return canonicalCpuList(list)
  } catch (error) {
    if (!isVmcgError(error)) throw error
    const why = `is malformed: ${error.message}`
    throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, list, why, 'write numbers and ranges, such as 0-3,8')
  }
}
