import type { ProcCgroup } from '../host/proc-cgroup'
import { readProcessCgroups } from '../host/process'

/**
 * A unit's cgroup in each hierarchy in which a process is inside of it: on v1 systemd makes it in those that it
 * manages, and not in `cpuset`, say. Paths are as this process sees them.
 *
 * @param controlGroup As systemd has it, such as `'/system.slice/vmcg-1.scope'`. Below the root of *its* cgroup
 *   namespace, so that ours may have something before it, or less of it.
 * @returns Empty when the process is nowhere inside; undefined when there is no such process.
 * @throws The kernel's code, such as `EACCES`, when it does not show.
 */
export function cgroupsOfUnit(
  pid: number,
  controlGroup: string,
  procRoot?: string,
): readonly ProcCgroup[] | undefined {
  const unit = controlGroup.slice(controlGroup.lastIndexOf('/') + 1)
  return readProcessCgroups(pid, procRoot)?.flatMap((cgroup) => {
    const names = cgroup.path.split('/')
    const depth = unit === '' ? -1 : names.indexOf(unit)
    return depth === -1 ? [] : [{ ...cgroup, path: names.slice(0, depth + 1).join('/') }]
  })
}
