import { VmcgError } from '../errors'
import { describeHierarchies } from '../host/detect'
import type { Hierarchy } from '../host/hierarchies'
import { pathChain } from '../plan/observed'
import { Batch, type OpResult, resultText } from './batch'
import { cgroupFile, fileError, idsBelow, requireCgroupBelowRoot } from './cgroup-tree'
import { type FreezerPlace, ownProcessInside } from './freezer-state'
import { type Roots, type SubmitOptions, submit } from './lane'
import { OpCode } from './native'
import { pause } from './pause'

/** How a version of cgroups freezes. */
export interface FreezerForm {
  readonly file: string
  /** What is written to the file. */
  readonly freeze: string
  readonly thaw: string
  /** What is to be mounted, such as `'the freezer controller'`, and how that is done. */
  readonly mounted: string
  readonly mountHint: string
}

export interface FreezerCgroup extends FreezerPlace, FreezerForm {
  readonly roots: Roots
  readonly hierarchy: Hierarchy
  readonly path: string
}

/**
 * @param hierarchy of those; undefined: there is none for it.
 * @throws `ERR_VMCG_NO_CONTROLLER` then; `ERR_VMCG_INVALID_PATH` for the root, which cannot be frozen.
 */
export function freezerCgroup(
  form: FreezerForm,
  roots: Roots,
  hierarchies: readonly Hierarchy[],
  hierarchy: Hierarchy | undefined,
  path: string,
): FreezerCgroup {
  requireCgroupBelowRoot(path)
  if (hierarchy !== undefined) {
    return { ...form, roots, hierarchy, path, directory: `${hierarchy.mountPoint}${path}` }
  }
  throw new VmcgError(
    'ERR_VMCG_NO_CONTROLLER',
    `${form.mounted} is not mounted; there is: ${describeHierarchies({ hierarchies })}`,
    { value: 'freezer', hint: form.mountHint },
  )
}

/** @throws the kernel's error. */
export async function write(
  cgroup: FreezerCgroup,
  value: 'freeze' | 'thaw',
  options: SubmitOptions,
): Promise<void> {
  const { directory, file, [value]: text } = cgroup
  const [result] = await submit(writing(cgroup, text), options)
  const errno = result?.errno ?? 0
  if (errno !== 0) throw fileError('write', `${directory}/${file}`, errno, text)
}

/** Thaws what was to be frozen and could not, whatever comes of it: why it could not is what counts. */
export async function takeBack(cgroup: FreezerCgroup): Promise<void> {
  await submit(writing(cgroup, cgroup.thaw))
}

function writing({ roots, hierarchy, path, file }: FreezerCgroup, value: string): Batch {
  const batch = new Batch()
  batch.add(OpCode.Write, roots.id(hierarchy.mountPoint), cgroupFile(path, file), { value })
  return batch
}

/** Whoever freezes itself can never thaw itself. @throws `ERR_VMCG_BUSY` */
export async function refuseOwnCgroup(cgroup: FreezerCgroup, options: SubmitOptions): Promise<void> {
  const { roots, hierarchy, path } = cgroup
  const pids = await idsBelow(roots, [hierarchy], path, 'cgroup.procs', options)
  if (pids.includes(process.pid)) throw ownProcessInside(cgroup, hierarchy.mountPoint)
}

const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 16

/** Asks until this is so, or the time is over. @returns whether it is */
export async function becomesTrue(
  ask: () => Promise<boolean>,
  deadline: number,
  { signal }: SubmitOptions,
): Promise<boolean> {
  for (let waitMs = FIRST_PAUSE_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_PAUSE_MS)) {
    if (await ask()) return true
    if (performance.now() > deadline) return false
    await pause(waitMs, signal)
  }
}

/**
 * Adds the question which of the cgroups above was frozen itself.
 *
 * @param file in which those that were say 1.
 * @returns what reads the answer: the directory of the nearest; undefined: none that can be seen.
 */
export function askAbove(
  batch: Batch,
  { roots, hierarchy, path }: FreezerCgroup,
  file: string,
): (results: readonly OpResult[]) => string | undefined {
  const ancestors = pathChain(path).slice(1, -1)
  const first = batch.length
  for (const ancestor of ancestors) {
    batch.nextGroup()
    batch.add(OpCode.Read, roots.id(hierarchy.mountPoint), cgroupFile(ancestor, file))
  }
  return (results) => {
    const nearest = ancestors.findLast((_, index) => {
      const result = results[first + index]
      return result?.errno === 0 && resultText(result).trimEnd() === '1'
    })
    return nearest === undefined ? undefined : `${hierarchy.mountPoint}${nearest}`
  }
}
