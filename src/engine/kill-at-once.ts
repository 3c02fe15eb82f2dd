import type { Hierarchy } from '../host/hierarchies'
import { Batch } from './batch'
import { waitForEvent } from './cgroup-events'
import { cgroupFile, fileError, idsBelow, isGone } from './cgroup-tree'
import { doNotEnd, KILL_DEADLINE_MS } from './kill'
import { type Roots, type SubmitOptions, submit } from './lane'
import { OpCode } from './native'

const EOPNOTSUPP = 95

/**
 * Has the kernel kill every process in a cgroup of v2 and below it, so that none can fork away, and waits until all
 * have ended. The cgroup is thawed afterwards; frozen ones end all the same.
 *
 * @returns false where the kernel cannot: before Linux 5.14, for a threaded cgroup, for one that is not there.
 * @throws `ERR_VMCG_BUSY` naming those that are still there after five seconds; the kernel's error when it refuses;
 *   `signal.reason` after an abort, when they are killed and not waited for.
 *
 * Source: kernel, Documentation/admin-guide/cgroup-v2.rst, cgroup.kill.
 */
export async function killAtOnce(
  roots: Roots,
  unified: Hierarchy,
  path: string,
  options: SubmitOptions,
): Promise<boolean> {
  const directory = `${unified.mountPoint}${path}`
  const write = async (file: string, value: string, { signal, lane }: SubmitOptions) => {
    const batch = new Batch()
    batch.add(OpCode.Write, roots.id(unified.mountPoint), cgroupFile(path, file), { value })
    const [result] = await submit(batch, { signal, lane })
    return result?.errno ?? 0
  }
  const errno = await write('cgroup.kill', '1', options)
  if (isGone(errno) || errno === EOPNOTSUPP) return false
  if (errno !== 0) throw fileError('write', `${directory}/cgroup.kill`, errno, '1')
  try {
    const wait = { timeoutMs: KILL_DEADLINE_MS, signal: options.signal }
    if (await waitForEvent(directory, ({ isPopulated }) => !isPopulated, wait)) return true
    throw doNotEnd(await idsBelow(roots, [unified], path, 'tasks', options), path)
  } finally {
    // Not to be aborted: nothing may be left frozen.
    await write('cgroup.freeze', '0', {})
  }
}
