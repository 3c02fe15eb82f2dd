import { CgroupError } from '../errors'
import type { Hierarchy } from '../host/hierarchies'
import type { Standstill } from '../plan/stand-still'
import { Batch } from './batch'
import { cgroupFile } from './cgroup-tree'
import { thaw } from './freezer-v1'
import { type Roots, submit } from './lane'
import { OpCode } from './native'

/** Held by a cgroup above it or frozen again by somebody else; gone. Either way it is not ours to thaw any more. */
const NOT_OURS: readonly string[] = ['ERR_VMCG_BUSY', 'ENOENT', 'ENODEV']

/**
 * Ends what was begun while a cgroup was frozen: allows what was still to be allowed, and lets its processes go on.
 *
 * @throws `ERR_VMCG_NO_CONTROLLER` where the freezer is mounted no more; the kernel's error for what cannot be thawed.
 */
export async function endStandstill(
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  { hierarchy, path, allow }: Standstill,
): Promise<void> {
  const mounted = hierarchies.find(({ id }) => id === hierarchy)
  if (mounted !== undefined) await submit(allowing(roots.id(mounted.mountPoint), path, allow))
  try {
    await thaw(roots, hierarchies, path)
  } catch (error) {
    if (!(error instanceof CgroupError && NOT_OURS.includes(error.code))) throw error
  }
}

function allowing(root: number, path: string, allow: Standstill['allow']): Batch {
  const batch = new Batch()
  for (const value of allow) {
    // One that is refused, since the cgroup above has changed, must not keep the others away.
    batch.nextGroup()
    batch.add(OpCode.Write, root, cgroupFile(path, 'devices.allow'), { value })
  }
  return batch
}
