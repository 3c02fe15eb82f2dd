import { Batch, type OpResult, resultTasks } from '../engine/batch'
import { fileError } from '../engine/cgroup-tree'
import { type Roots, type SubmitOptions, submit } from '../engine/lane'
import { OpCode } from '../engine/native'
import { USUAL_KNOBS_V1 } from '../plan/after'
import { CONTROLLERS, SUBTREE_CONTROL, TYPE, USUAL_KNOBS_V2 } from '../plan/after-v2'
import { isReadAbove } from '../plan/needed-controllers'
import type { Observed, ObservedCgroup, ObservedHierarchy, ObservedProcess } from '../plan/observed'
import type { TagAttribute } from '../plan/operations'
import { lackedForPrograms } from './capabilities'
import { CgroupFiles } from './cgroup-files'
import type { Hierarchy } from './hierarchies'
import { askPrograms, programsFrom } from './observe-programs'

/** Which cgroups and processes to look at. */
export interface ObserveRequest {
  /** The hierarchies that the sandbox uses. */
  readonly hierarchies: readonly Hierarchy[]
  /** Cgroups whose knobs matter, but not their threads: those above the sandbox, and those that processes came from. */
  readonly surroundings: (hierarchy: string) => readonly string[]
  /** Cgroups whose threads are wanted as well: the sandbox's own. */
  readonly own: (hierarchy: Hierarchy) => readonly string[]
  /** Knobs to read beside the usual ones, in every cgroup: what they say above tells what a new cgroup will have. */
  readonly knobs: readonly string[]
  /** The extended attribute that says whose a directory is. */
  readonly tagAttribute: TagAttribute
  readonly pids: readonly number[]
  /** Whether the ids of their threads will do. @default false */
  readonly isBrief?: boolean | undefined
  /** Whether the device programs of v2 cgroups are wanted. @default false */
  readonly devicePrograms?: boolean | undefined
  /**
   * Whether all of our own cgroups are expected to be there. On v1, what new ones would have is not asked for then. Where
   * one is missing nevertheless, all is asked for once more. @default no
   */
  readonly isMade?: ((hierarchy: string) => boolean) | undefined
}

const ENOENT = 2
const ESRCH = 3
const PF_EXITING = 0x4

/** The knobs that rules about a controller read, by version. */
const USUAL_KNOBS = { 1: USUAL_KNOBS_V1, 2: USUAL_KNOBS_V2 }

/** What the rules of v2 read of every cgroup. The root of all has no type, and so tells itself from one that only looks like it. */
const STRUCTURE = [TYPE, SUBTREE_CONTROL, CONTROLLERS]

/**
 * Looks at all of it in one batch, and at most once more. Lists of threads are opened afresh: a descriptor that is kept
 * open shows an old list for seconds. A cgroup or process that is not there is simply not in the result.
 *
 * @throws the kernel's error where something is there and cannot be looked at.
 */
export async function observe(
  roots: Roots,
  request: ObserveRequest,
  options: SubmitOptions,
): Promise<Observed> {
  const observed = await observeOnce(roots, request, options)
  if (request.isMade === undefined || request.hierarchies.every(isAsExpected(request, observed))) {
    return observed
  }
  return observeOnce(roots, { ...request, isMade: undefined }, options)
}

/** Nothing that was expected to be there is missing. */
function isAsExpected({ own, isMade }: ObserveRequest, observed: Observed) {
  return (hierarchy: Hierarchy): boolean => {
    if (isMade?.(hierarchy.id) !== true) return true
    const cgroups = observed.hierarchies.find(({ id }) => id === hierarchy.id)?.cgroups ?? {}
    return own(hierarchy).every((path) => path in cgroups)
  }
}

async function observeOnce(roots: Roots, request: ObserveRequest, options: SubmitOptions): Promise<Observed> {
  const batch = new Batch()
  const hierarchies = request.hierarchies.map((hierarchy) => askHierarchy(batch, roots, hierarchy, request))
  const processes = request.pids.map((pid) => askProcess(batch, roots, pid, request))
  const results = await submit(batch, options)
  const at = (index: number): OpResult => {
    const result = results[index]
    if (result === undefined) throw new RangeError(`${results.length} results, and none at ${index}`)
    return result
  }
  return {
    hierarchies: hierarchies.map((read) => read(at)),
    processes: processes.flatMap((read) => read(at) ?? []),
    ...(request.devicePrograms === true && { lackedForPrograms: lackedForPrograms() }),
  }
}

const NO_ATTRIBUTE = -1

type ResultAt = (index: number) => OpResult

function askHierarchy(batch: Batch, roots: Roots, hierarchy: Hierarchy, request: ObserveRequest) {
  const { id, version, controllers, mountPoint } = hierarchy
  const root = roots.id(mountPoint)
  const knobs = knobsFor(hierarchy, request.knobs)
  const isMade = request.isMade?.(id) === true
  const filesOfOwn = new CgroupFiles(hierarchy, knobs, true)
  const filesAbove = new CgroupFiles(
    hierarchy,
    isMade ? knobs.filter((knob) => isReadAbove(version, knob)) : knobs,
    false,
  )
  const hasPrograms = request.devicePrograms === true && version === 2
  const own = request.own(hierarchy)
  const paths = [...new Set([...request.surroundings(id), ...own])]
  const asked = paths.map((path) => {
    const directory = path === '/' ? '.' : path.slice(1)
    const isOwn = own.includes(path)
    const files = isOwn ? filesOfOwn : filesAbove
    batch.nextGroup()
    batch.add(OpCode.Inspect, root, directory, {
      value: files.joined,
      arg: isOwn ? request.tagAttribute : NO_ATTRIBUTE,
    })
    const index = batch.length - 1
    return { path, files, index, programs: hasPrograms ? askPrograms(batch, root, directory) : undefined }
  })
  return (at: ResultAt): ObservedHierarchy => {
    const cgroups: Record<string, ObservedCgroup> = {}
    for (const { path, files, index, programs } of asked) {
      const directory = `${mountPoint}${path}`
      const cgroup = files.read(at(index), directory)
      if (cgroup === undefined) continue
      const devicePrograms = programs === undefined ? undefined : programsFrom(at(programs), directory)
      cgroups[path] = devicePrograms === undefined ? cgroup : { ...cgroup, devicePrograms }
    }
    return { id, version, controllers, mountPoint, cgroups }
  }
}

function knobsFor({ version, controllers }: Hierarchy, asked: readonly string[]): readonly string[] {
  const knobs = new Set(version === 2 ? [...STRUCTURE, ...asked.filter(isCore)] : [])
  for (const controller of controllers) {
    for (const knob of USUAL_KNOBS[version][controller] ?? []) knobs.add(knob)
    const prefix = `${controller}.`
    for (const knob of asked) if (knob.startsWith(prefix)) knobs.add(knob)
  }
  return [...knobs]
}

function isCore(knob: string): boolean {
  return knob.startsWith('cgroup.')
}

function askProcess(batch: Batch, roots: Roots, pid: number, { isBrief = false }: ObserveRequest) {
  batch.nextGroup()
  batch.add(OpCode.ListTasks, roots.id('/proc'), String(pid), { arg: isBrief ? 1 : 0 })
  const index = batch.length - 1
  return (at: ResultAt): ObservedProcess | undefined => {
    const { errno } = at(index)
    if (errno === ENOENT || errno === ESRCH) return undefined
    if (errno !== 0) throw fileError('read', `/proc/${pid}/task`, errno)
    const tasks = resultTasks(at(index))
    const threads = tasks
      .filter(({ flags }) => (flags & PF_EXITING) === 0)
      .map(({ tid, startTime, name }) => ({
        tid,
        startTime: Number.isNaN(startTime) ? null : startTime,
        name,
      }))
    const leader = tasks.find(({ tid }) => tid === pid)
    return leader === undefined || threads.length === 0
      ? undefined
      : { pid, startTime: leader.startTime, threads }
  }
}
