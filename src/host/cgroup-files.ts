import { type OpResult, resultInspected } from '../engine/batch'
import { fileError, isGone } from '../engine/cgroup-tree'
import { threadsFile } from '../model/unified'
import type { KnobState, ObservedCgroup } from '../plan/observed'
import type { Hierarchy } from './hierarchies'

const ENOENT = 2
const EACCES = 13
const EINVAL = 22
const ENODATA = 61
const EOPNOTSUPP = 95

const PROCESSES = 'cgroup.procs'

/**
 * What is read of cgroups that are alike, as an Inspect operation names and answers it: their knobs, then the lists of
 * their threads and of their processes.
 */
export class CgroupFiles {
  /** The names, as the operation takes them. */
  readonly joined: string
  readonly #knobs: readonly string[]
  readonly #threads: string | undefined
  readonly #hasProcesses: boolean

  /** @param isOwn whether the threads are wanted. On v2 the processes always are. */
  constructor({ id, version }: Pick<Hierarchy, 'id' | 'version'>, knobs: readonly string[], isOwn: boolean) {
    this.#knobs = knobs
    this.#threads = isOwn ? threadsFile(id) : undefined
    this.#hasProcesses = version === 2
    const lists = [this.#threads, this.#hasProcesses ? PROCESSES : undefined]
    this.joined = [...knobs, ...lists.filter((list) => list !== undefined)].join('/')
  }

  /**
   * @param directory for messages.
   * @returns undefined for a cgroup that is not there.
   * @throws the kernel's error where it is there and cannot be looked at.
   */
  read(result: OpResult, directory: string): ObservedCgroup | undefined {
    if (isGone(result.errno)) return undefined
    if (result.errno !== 0) throw fileError('read', directory, result.errno)
    const { errnos, texts } = resultInspected(result)
    const ofTag = errnos[0] ?? ENODATA
    if (ofTag !== 0 && ofTag !== ENODATA && ofTag !== EOPNOTSUPP) throw fileError('read', directory, ofTag)
    const knobs: Record<string, KnobState> = {}
    let at = 1
    for (const knob of this.#knobs) {
      knobs[knob] = knobState(errnos[at] ?? ENOENT, texts[at] ?? '', directory, knob)
      at += 1
    }
    const tids =
      this.#threads === undefined
        ? NOBODY
        : idList(errnos[at] ?? ENOENT, texts[at] ?? '', directory, this.#threads)
    if (tids === undefined) return undefined
    if (this.#threads !== undefined) at += 1
    const owner = ofTag === 0 ? (texts[0] ?? '') : null
    // The kernel lists none for a threaded cgroup.
    if (!this.#hasProcesses || errnos[at] === EOPNOTSUPP) return { owner, knobs, tids }
    const pids = idList(errnos[at] ?? ENOENT, texts[at] ?? '', directory, PROCESSES)
    return pids === undefined ? { owner, knobs, tids } : { owner, knobs, tids, pids }
  }
}

const NOBODY: readonly number[] = Object.freeze([])
const ABSENT: KnobState = Object.freeze({ kind: 'absent' })
const WRITE_ONLY: KnobState = Object.freeze({ kind: 'write-only' })

function knobState(errno: number, text: string, directory: string, knob: string): KnobState {
  if (errno === 0) return { kind: 'value', value: text.trimEnd() }
  if (isGone(errno)) return ABSENT
  if (errno === EACCES || errno === EINVAL) return WRITE_ONLY
  throw fileError('read', `${directory}/${knob}`, errno)
}

/** Ascending: v2 lists them in no order. */
function idList(errno: number, text: string, directory: string, file: string): readonly number[] | undefined {
  if (isGone(errno)) return undefined
  if (errno !== 0) throw fileError('read', `${directory}/${file}`, errno)
  const lines = text.trimEnd()
  return lines === ''
    ? NOBODY
    : lines
        .split('\n')
        .map(Number)
        .sort((a, b) => a - b)
}
