import { isVmcgError } from '../errors'
import type { Hierarchy } from '../host/hierarchies'
import { idsBelow, requireCgroupBelowRoot } from './cgroup-tree'
import { freezerState, hasFreezer, release, tryFreeze } from './freezer'
import { isSigkill, type KillOptions, killAll, refuseOwnProcess } from './kill'
import { killAtOnce } from './kill-at-once'
import type { Roots, SubmitOptions } from './lane'

export interface KillCgroupOptions extends SubmitOptions, Pick<KillOptions, 'killSignal'> {}

/** Long enough for what can be frozen at all; those that cannot be are killed as they run. */
const FREEZE_MS = 50

/**
 * Sends SIGKILL to every process with a thread in a cgroup or below it, in any of the hierarchies, and waits until none
 * is left; frozen ones too. On v2 the kernel kills all of them at once. Elsewhere, for a threaded cgroup and before
 * Linux 5.14, the cgroup is frozen around each round of signals where it has a freezer, so that nobody can fork away
 * from them, nor end and leave its id to a stranger between the look and the signal. The cgroup is thawed afterwards,
 * also when this fails half-way.
 *
 * Any other `killSignal` is sent once to every process and not waited for; frozen ones get it when they are thawed,
 * which this does not do; on v2 those whom it ends, end at once.
 *
 * @param path Below the mount points. Where it does not exist in a hierarchy nobody is killed there.
 * @throws as {@link killAll}; `ERR_VMCG_INVALID_PATH` for the root; on v1 `ERR_VMCG_BUSY` naming the cgroup when one
 *   above holds this one frozen: the signals are sent, and take effect when that one is thawed.
 */
export async function killCgroup(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: KillCgroupOptions = {},
): Promise<void> {
  requireCgroupBelowRoot(path)
  const processes = () => idsBelow(roots, hierarchies, path, 'cgroup.procs', options)
  const { killSignal = 'SIGKILL' } = options
  if (!isSigkill(killSignal)) return killAll(processes, path, options)
  const unified = hierarchies.find(({ version }) => version === 2)
  if (unified !== undefined) {
    const pids = await processes()
    refuseOwnProcess(pids, path)
    if (pids.length > 0) await ifThere(() => killAtOnce(roots, unified, path, options))
  }
  // Whoever is left: those of v1 who are not on v2, and those whom the kernel cannot kill at once.
  if (!(await canFreeze(roots, hierarchies, path, options))) return killAll(processes, path, options)
  let isTouched = false
  const processesAtRest = async () => {
    const pids = await processes()
    if (pids.length === 0 || pids.includes(process.pid)) return pids
    isTouched = true
    await ifThere(() => tryFreeze(roots, hierarchies, path, FREEZE_MS, options))
    return processes()
  }
  // Not to be aborted: nothing may be left frozen.
  const letGo = () => ifThere(() => release(roots, hierarchies, path))
  try {
    await killAll(processesAtRest, path, { ...options, release: letGo })
    // The last look may have frozen what was about to be empty.
    if (isTouched) await letGo()
  } catch (error) {
    // What is thrown already says more than that this cannot be thawed either.
    if (isTouched) await letGo().catch(() => undefined)
    throw error
  }
}

async function canFreeze(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: SubmitOptions,
): Promise<boolean> {
  if (!hasFreezer(hierarchies)) return false
  return (await ifThere(() => freezerState(roots, hierarchies, path, options))) !== undefined
}

/** undefined: the cgroup has gone, or never was there. */
async function ifThere<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (error) {
    if (isVmcgError(error) && error.code === 'ENOENT') return undefined
    throw error
  }
}
