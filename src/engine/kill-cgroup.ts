import { isVmcgError } from '../errors'
import type { Hierarchy } from '../host/hierarchies'
import { idsBelow, requireCgroupBelowRoot } from './cgroup-tree'
import { freezerHierarchy, freezerState, thaw, tryFreeze } from './freezer-v1'
import { isSigkill, type KillOptions, killAll } from './kill'
import type { Roots, SubmitOptions } from './lane'

export interface KillCgroupOptions extends SubmitOptions, Pick<KillOptions, 'killSignal'> {}

/** Long enough for what can be frozen at all; those that cannot be are killed as they run. */
const FREEZE_MS = 50

/**
 * Sends SIGKILL to every process with a thread in a cgroup or below it, in any of the v1 hierarchies, and waits until
 * none is left; frozen ones too, which end when they are thawed. Where the cgroup has a freezer it is frozen around
 * each round, so that nobody can fork away from the signals, nor end and leave its id to a stranger between the look
 * and the signal. The cgroup is thawed afterwards, also when this fails half-way.
 *
 * Any other `killSignal` is sent once to every process and not waited for; frozen ones get it when they are thawed,
 * which this does not do.
 *
 * @param path Below the mount points. Where it does not exist in a hierarchy nobody is killed there.
 * @throws as {@link killAll}; `ERR_VMCG_INVALID_PATH` for the root; `ERR_VMCG_BUSY` naming the cgroup when one above
 *   holds this one frozen: the signals are sent, and take effect when that one is thawed.
 */
export async function killCgroup(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: KillCgroupOptions = {},
): Promise<void> {
  requireCgroupBelowRoot(path)
  const v1 = hierarchies.filter(({ version }) => version === 1)
  const processes = () => idsBelow(roots, v1, path, 'cgroup.procs', options)
  const { killSignal = 'SIGKILL' } = options
  if (!isSigkill(killSignal) || !(await hasFreezer(roots, v1, path, options))) {
    return killAll(processes, path, options)
  }
  let isTouched = false
  const processesAtRest = async () => {
    const pids = await processes()
    if (pids.length === 0 || pids.includes(process.pid)) return pids
    isTouched = true
    await ifThere(() => tryFreeze(roots, v1, path, FREEZE_MS, options))
    return processes()
  }
  // Not to be aborted: nothing may be left frozen.
  const release = () => ifThere(() => thaw(roots, v1, path))
  try {
    await killAll(processesAtRest, path, { ...options, release })
    // The last look may have frozen what was about to be empty.
    if (isTouched) await release()
  } catch (error) {
    // What is thrown already says more than that this cannot be thawed either.
    if (isTouched) await release().catch(() => undefined)
    throw error
  }
}

async function hasFreezer(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  path: string,
  options: SubmitOptions,
): Promise<boolean> {
  if (freezerHierarchy(hierarchies) === undefined) return false
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
