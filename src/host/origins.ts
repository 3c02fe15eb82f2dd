import { VmcgError } from '../errors'
import type { ProcessState } from '../state/state-file'
import type { Hierarchy } from './hierarchies'
import { cgroupPaths } from './identify'
import { readStartTime } from './process'

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
  const origins = cgroupPaths(pid, hierarchies)
  if (startTime === undefined || origins === undefined) {
    throw new VmcgError('ERR_VMCG_VM_GONE', `there is no process ${pid}`, {
      value: String(pid),
      hint: `ps -p ${pid}`,
    })
  }
  return { pid, startTime, role, origins }
}

/** True while the process of this pid is the one that was remembered. */
export function isSameProcess(remembered: Pick<ProcessState, 'pid' | 'startTime'>): boolean {
  return readStartTime(remembered.pid) === remembered.startTime
}
