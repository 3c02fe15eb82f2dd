import { Batch, type OpResult, resultTasks, resultText } from '../engine/batch'
import { type Roots, type SubmitOptions, submit } from '../engine/lane'
import { OpCode } from '../engine/native'
import { CgroupError, errnoName, errnoText } from '../errors'
import { threadsFile } from '../model/unified'
import { CONTROLLERS, SUBTREE_CONTROL, TYPE, USUAL_KNOBS_V2 } from '../plan/after-v2'
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
 * Looks at all of it in one batch. Lists of threads are opened afresh: a descriptor that is kept open shows an old list for
 * seconds. A cgroup or process that is not there is simply not in the result.
 *
 * @throws the kernel's error where something is there and cannot be looked at.
 */
export async function observe(
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
  const own = request.own(hierarchy)
  const surroundings = request.surroundings(hierarchy.id)
  const paths = [...new Set([...surroundings, ...own])]
  const cgroups = paths.map((path) => {
    const isOwn = own.includes(path)
    return [
      path,
      askCgroup(batch, root, {
        hierarchy,
        path,
        knobs,
        isOwn,
        tagAttribute: request.tagAttribute,
        hasPrograms: request.devicePrograms === true && hierarchy.version === 2,
      }),
    ] as const
  })
  return (at: ResultAt): ObservedHierarchy => ({
    id: hierarchy.id,
    version: hierarchy.version,
    controllers: hierarchy.controllers,
    mountPoint: hierarchy.mountPoint,
    cgroups: Object.fromEntries(
      cgroups.flatMap(([path, read]) => {
        const cgroup = read(at)
        return cgroup === undefined ? [] : [[path, cgroup]]
      }),
    ),
  })
}

interface CgroupQuestion {
  readonly hierarchy: Hierarchy
  readonly path: string
  readonly knobs: readonly string[]
  readonly isOwn: boolean
  readonly tagAttribute: TagAttribute
  readonly hasPrograms: boolean
}

function askCgroup(batch: Batch, root: number, question: CgroupQuestion) {
  const { hierarchy, path, knobs, isOwn, tagAttribute, hasPrograms } = question
  const directory = `${hierarchy.mountPoint}${path}`
  const below = (file: string) => (path === '/' ? file : `${path.slice(1)}/${file}`)
  const ask = (code: OpCode, file: string, arg?: string): number => {
    batch.nextGroup()
    batch.add(code, root, file, arg === undefined ? {} : { arg })
    return batch.length - 1
  }
  const owner = ask(OpCode.GetXattr, path === '/' ? '.' : path.slice(1), tagAttribute)
  const knobIndices = knobs.map((knob) => [knob, ask(OpCode.Read, below(knob))] as const)
  const tasks = isOwn ? ask(OpCode.Read, below(threadsFile(hierarchy.id))) : undefined
  const procs = hierarchy.version === 2 ? ask(OpCode.Read, below('cgroup.procs')) : undefined
  const programs = hasPrograms ? askPrograms(batch, root, path === '/' ? '.' : path.slice(1)) : undefined
  return (at: ResultAt): ObservedCgroup | undefined => {
    const { errno } = at(owner)
    if (errno === ENOENT) return undefined
    if (errno !== 0 && errno !== ENODATA && errno !== EOPNOTSUPP) throw unreadable(directory, errno)
    const tids = tasks === undefined ? [] : idList(at(tasks), `${directory}/${threadsFile(hierarchy.id)}`)
    if (tids === undefined) return undefined
    const pids =
      procs === undefined || at(procs).errno === EOPNOTSUPP
        ? undefined
        : idList(at(procs), `${directory}/cgroup.procs`)
    const devicePrograms = programs === undefined ? undefined : programsFrom(at(programs), directory)
    return {
      owner: errno === 0 ? resultText(at(owner)) : null,
      knobs: Object.fromEntries(
        knobIndices.map(([knob, index]) => [knob, knobState(at(index), `${directory}/${knob}`)]),
      ),
      tids,
      ...(pids !== undefined && { pids }),
      ...(devicePrograms && { devicePrograms }),
    }
  }
}

/** ENODEV: the cgroup was removed between the open and the read. */
function isGone(errno: number): boolean {
  return errno === ENOENT || errno === ENODEV
}

function knobState(result: OpResult, path: string): KnobState {
  const { errno } = result
  if (errno === 0) return { kind: 'value', value: resultText(result).trimEnd() }
  if (isGone(errno)) return { kind: 'absent' }
  if (errno === EACCES || errno === EINVAL) return { kind: 'write-only' }
  throw unreadable(path, errno)
}

function idList(result: OpResult, path: string): readonly number[] | undefined {
  if (isGone(result.errno)) return undefined
  if (result.errno !== 0) throw unreadable(path, result.errno)
  const text = resultText(result).trimEnd()
  return text === '' ? [] : text.split('\n').map(Number)
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
