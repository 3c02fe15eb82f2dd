import { VmcgError } from '../errors'
import type { ProcessState } from '../state/state-file'
import { type Hierarchy, pathBelowMount } from './hierarchies'
import { readProcessCgroups, readStartTime } from './process'

/**
 * A process as the state remembers it: its start time, and where it is now in each hierarchy, so that it can be given
 * back. A cgroup that lies outside what this process sees of a hierarchy is left out.
 *
 * @throws `ERR_VMCG_VM_GONE` where there is no such process (any more).
 */
export function rememberProcess(
  pid: number,
  role: ProcessState['role'],
  hierarchies: readonly Hierarchy[],
): ProcessState {
  const startTime = readStartTime(pid)
  const cgroups = readProcessCgroups(pid)
  if (startTime === undefined || cgroups === undefined) {
    throw new VmcgError('ERR_VMCG_VM_GONE', `there is no process ${pid}`, {
      value: String(pid),
      hint: `ps -p ${pid}`,
    })
  }
  const origins = hierarchies.flatMap((hierarchy) => {
    const found = cgroups.find(({ controllers }) => controllers.join(',') === hierarchy.id)
    const path = found === undefined ? undefined : pathBelowMount(hierarchy, found.path)
    return path === undefined ? [] : [[hierarchy.id, path] as const]
  })
  return { pid, startTime, role, origins: Object.fromEntries(origins) }
}

/** True while the process of this pid is the one that was remembered. */
export function isSameProcess(remembered: Pick<ProcessState, 'pid' | 'startTime'>): boolean {
  return readStartTime(remembered.pid) === remembered.startTime
}
