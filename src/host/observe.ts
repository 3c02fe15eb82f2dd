import { Batch, type Inspected, type OpResult, resultInspected, resultTasks } from '../engine/batch'
import { type Roots, type SubmitOptions, submit } from '../engine/lane'
import { OpCode } from '../engine/native'
import { CgroupError, errnoName, errnoText } from '../errors'
import { threadsFile } from '../model/unified'
import { CONTROLLERS, SUBTREE_CONTROL, TYPE, USUAL_KNOBS_V2 } from '../plan/after-v2'
import { isReadAbove } from '../plan/needed-controllers'
import type {
  KnobState,
  Observed,
  ObservedCgroup,
  ObservedHierarchy,
  ObservedProcess,
} from '../plan/observed'
import type { TagAttribute } from '../plan/operations'
import { lackedForPrograms } from './capabilities'
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
  /** Whether the device programs of v2 cgroups are wanted. @default false */
  readonly devicePrograms?: boolean | undefined
  /**
   * Whether all of our own cgroups are expected to be there. What new ones would have is not asked for then. Where one is
   * missing nevertheless, all is asked for once more. @default no
   */
  readonly isMade?: ((hierarchy: string) => boolean) | undefined
}

const ENOENT = 2
const ESRCH = 3
const EACCES = 13
const EINVAL = 22
const ENODEV = 19
const ENODATA = 61
const EOPNOTSUPP = 95
const PF_EXITING = 0x4

/** The knobs that rules about a controller read, by version. */
const USUAL_KNOBS: Readonly<Record<1 | 2, Readonly<Record<string, readonly string[]>>>> = {
  1: {
    cpu: ['cpu.shares', 'cpu.cfs_quota_us', 'cpu.cfs_period_us'],
    cpuset: ['cpuset.cpus', 'cpuset.mems'],
  },
  2: USUAL_KNOBS_V2,
}

/** What the rules of v2 read of every cgroup. The root of all has no type, and so tells itself from one that only looks like it. */
const STRUCTURE = [TYPE, SUBTREE_CONTROL, CONTROLLERS]

/**
 * Looks at all of it in one batch, and at most once more. Lists of threads are opened afresh: a descriptor that is kept open shows an old list for
 * seconds. A cgroup or process that is not there is simply not in the result.
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

async function observeOnce(
  roots: Roots,
  request: ObserveRequest,
  options: SubmitOptions,
): Promise<Observed> {
  const batch = new Batch()
  const hierarchies = request.hierarchies.map((hierarchy) => askHierarchy(batch, roots, hierarchy, request))
  const processes = request.pids.map((pid) => askProcess(batch, roots, pid))
  const results = await submit(batch, options)
  const at = (index: number): OpResult => {
    const result = results[index]
    if (result === undefined)
      throw new RangeError(`a batch of ${batch.length} operations has no result ${index}`)
    return result
  }
  return {
    hierarchies: hierarchies.map((read) => read(at)),
    processes: processes.flatMap((read) => read(at) ?? []),
    ...(request.devicePrograms === true && { lackedForPrograms: lackedForPrograms() }),
  }
}

type ResultAt = (index: number) => OpResult

function askHierarchy(batch: Batch, roots: Roots, hierarchy: Hierarchy, request: ObserveRequest) {
  const root = roots.id(hierarchy.mountPoint)
  const ofControllers = hierarchy.controllers.flatMap((controller) => [
    ...(USUAL_KNOBS[hierarchy.version][controller] ?? []),
    ...request.knobs.filter((knob) => knob.startsWith(`${controller}.`)),
  ])
  const core = request.knobs.filter((knob) => knob.startsWith('cgroup.'))
  const knobs = [...new Set([...(hierarchy.version === 2 ? [...STRUCTURE, ...core] : []), ...ofControllers])]
  const above = request.isMade?.(hierarchy.id) === true ? knobs.filter(isReadAbove) : knobs
  const own = request.own(hierarchy)
  const paths = [...new Set([...request.surroundings(hierarchy.id), ...own])]
  const question = {
    hierarchy,
    root,
    tagAttribute: request.tagAttribute,
    hasPrograms: request.devicePrograms === true && hierarchy.version === 2,
  }
  const readers = paths.map((path) => {
    const isOwn = own.includes(path)
    return askCgroup(batch, { ...question, path, isOwn, knobs: isOwn ? knobs : above })
  })
  return (at: ResultAt): ObservedHierarchy => {
    const cgroups: Record<string, ObservedCgroup> = {}
    for (const [index, read] of readers.entries()) {
      const cgroup = read(at)
      if (cgroup !== undefined) cgroups[paths[index] ?? ''] = cgroup
    }
    return {
      id: hierarchy.id,
      version: hierarchy.version,
      controllers: hierarchy.controllers,
      mountPoint: hierarchy.mountPoint,
      cgroups,
    }
  }
}

interface CgroupQuestion {
  readonly hierarchy: Hierarchy
  readonly root: number
  readonly path: string
  readonly knobs: readonly string[]
  readonly isOwn: boolean
  readonly tagAttribute: TagAttribute
  readonly hasPrograms: boolean
}

/** One operation for all files of a cgroup: the knobs, then those that list its threads and its processes. */
function askCgroup(batch: Batch, question: CgroupQuestion) {
  const { hierarchy, root, path, knobs, isOwn, tagAttribute, hasPrograms } = question
  const directory = path === '/' ? '.' : path.slice(1)
  const lists = [...(isOwn ? [threadsFile(hierarchy.id)] : []), ...(hierarchy.version === 2 ? [PROCS] : [])]
  const files = [...knobs, ...lists]
  batch.nextGroup()
  batch.add(OpCode.Inspect, root, directory, { value: files.join('/'), arg: tagAttribute })
  const index = batch.length - 1
  const programs = hasPrograms ? askPrograms(batch, root, directory) : undefined
  return (at: ResultAt): ObservedCgroup | undefined => {
    const name = `${hierarchy.mountPoint}${path}`
    const result = at(index)
    if (isGone(result.errno)) return undefined
    if (result.errno !== 0) throw unreadable(name, result.errno)
    const [tag = NOT_ASKED, ...answers] = resultInspected(result, files.length)
    if (tag.errno !== 0 && tag.errno !== ENODATA && tag.errno !== EOPNOTSUPP) throw unreadable(name, tag.errno)
    const listed = (file: string) => idList(answers[files.lastIndexOf(file)] ?? NOT_ASKED, `${name}/${file}`)
    const tids = isOwn ? listed(threadsFile(hierarchy.id)) : []
    if (tids === undefined) return undefined
    const hasProcesses = answers[files.lastIndexOf(PROCS)]?.errno !== EOPNOTSUPP
    const pids = hasProcesses ? listed(PROCS) : undefined
    const devicePrograms = programs === undefined ? undefined : programsFrom(at(programs), name)
    const states: Record<string, KnobState> = {}
    for (const [place, knob] of knobs.entries()) {
      states[knob] = knobState(answers[place] ?? NOT_ASKED, `${name}/${knob}`)
    }
    return {
      owner: tag.errno === 0 ? tag.text : null,
      knobs: states,
      tids,
      ...(pids !== undefined && { pids }),
      ...(devicePrograms && { devicePrograms }),
    }
  }
}

const PROCS = 'cgroup.procs'
const NOT_ASKED: Inspected = { errno: ENOENT, text: '' }

/** ENODEV: the cgroup was removed between the open and the read. */
function isGone(errno: number): boolean {
  return errno === ENOENT || errno === ENODEV
}

function knobState({ errno, text }: Inspected, path: string): KnobState {
  if (errno === 0) return { kind: 'value', value: text.trimEnd() }
  if (isGone(errno)) return { kind: 'absent' }
  if (errno === EACCES || errno === EINVAL) return { kind: 'write-only' }
  throw unreadable(path, errno)
}

function idList({ errno, text }: Inspected, path: string): readonly number[] | undefined {
  if (isGone(errno)) return undefined
  if (errno !== 0) throw unreadable(path, errno)
  const lines = text.trimEnd()
  // Only v1 sorts them.
  return lines === '' ? [] : lines.split('\n').map(Number).sort((a, b) => a - b)
}

function askProcess(batch: Batch, roots: Roots, pid: number) {
  batch.nextGroup()
  batch.add(OpCode.ListTasks, roots.id('/proc'), String(pid))
  const index = batch.length - 1
  return (at: ResultAt): ObservedProcess | undefined => {
    const { errno } = at(index)
    if (errno === ENOENT || errno === ESRCH) return undefined
    if (errno !== 0) throw unreadable(`/proc/${pid}/task`, errno)
    const tasks = resultTasks(at(index))
    const threads = tasks
      .filter(({ flags }) => (flags & PF_EXITING) === 0)
      .map(({ tid, startTime, name }) => ({ tid, startTime, name }))
    const leader = tasks.find(({ tid }) => tid === pid)
    return leader === undefined || threads.length === 0
      ? undefined
      : { pid, startTime: leader.startTime, threads }
  }
}

function unreadable(path: string, errno: number): CgroupError {
  return new CgroupError(errnoName(errno), `cannot read ${path}: ${errnoText(errno)}`, {
    errno: -errno,
    syscall: 'read',
    path,
  })
}
