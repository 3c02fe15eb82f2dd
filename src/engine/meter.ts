import { CgroupError, errnoName, errnoText } from '../errors'
import { FigureFormat, native, RESULT_HEADER_WORDS, RESULT_OP_WORDS } from './native'

/** One file of a cgroup, and the figures that are wanted of it. */
export interface FigureFile {
  readonly file: string
  readonly format: FigureFormat
  /** Names as `FigureFormat` has them, with `/divisor` behind what is not in the unit that is wanted. */
  readonly fields: readonly string[]
}

/** A file of a form: where it is, and which groups of figures (bits) it serves. */
export interface FormFile extends FigureFile {
  readonly version: 1 | 2
  readonly mountPoint: string
  /** Which directory of a meter it is in. */
  readonly directory: number
  readonly groups: number
}

/** What came of one file: its errno, and its figures, none where that is not 0. */
export interface FileReading {
  readonly errno: number
  readonly figures: Figures
}

/** In the order that its `FigureFormat` says. */
export type Figures = ArrayLike<number>

/** One entry for each file of a form; undefined for those of groups that were not asked for. */
export type MeterReading = readonly (FileReading | undefined)[]

/** What is read of each of many cgroups that are alike. Made by `Roots.form()`, which knows the roots of its files. */
export class Form {
  readonly id: number
  readonly files: readonly FormFile[]
  /** By version and directory, then by the name of the file. */
  readonly #places = new Map<number, Map<string, number>>()

  /** @param rootOf the id of the root at a mount point */
  constructor(files: readonly FormFile[], rootOf: (mountPoint: string) => number) {
    const words = files.flatMap(({ mountPoint, directory, format, groups, fields }) => [
      rootOf(mountPoint),
      directory,
      format,
      groups,
      fields.length,
    ])
    const strings = files.flatMap(({ file, fields }) => [file, ...fields])
    this.id = opened(native().openForm(Int32Array.from(words), strings.join('\0')), 'openForm')
    this.files = files
    for (const [index, { version, directory, file }] of files.entries()) {
      const key = placeKey(version, directory)
      const places = this.#places.get(key) ?? new Map<string, number>()
      this.#places.set(key, places.set(file, index))
    }
  }

  /** How to look up a file's figures in a reading, by its name; undefined where there are none. */
  figuresOf(reading: MeterReading, version: 1 | 2, directory: number): (file: string) => Figures | undefined {
    const places = this.#places.get(placeKey(version, directory))
    return (file) => {
      const place = places?.get(file)
      const read = place === undefined ? undefined : reading[place]
      return read?.errno === 0 ? read.figures : undefined
    }
  }

  close(): void {
    native().closeForm(this.id)
  }
}

/**
 * The files of a form in the directories of one sandbox. The addon keeps them open between readings, as far as there
 * are descriptors, and closes them a minute after the last one.
 */
export class Meter {
  readonly form: Form
  readonly id: number

  /** @param paths below the mount points, one for each directory of the form. Opens nothing yet. */
  constructor(form: Form, paths: readonly string[]) {
    const directories = paths.map((path) => (path === '/' ? '.' : path.slice(1)))
    this.form = form
    this.id = opened(native().openMeter(form.id, directories.join('\0')), 'openMeter')
  }

  /** Closes its files. Safe to call twice. */
  close(): void {
    native().closeMeter(this.id)
  }
}

export interface MetersReading {
  /** How many descriptors this process keeps open at most. */
  readonly keptAtMost: number
  readonly meters: readonly MeterReading[]
}

/** A little more than the addon lets descriptors be idle, so that one look finds all of them. */
const IDLE_MS = 61_000

/** One for each JavaScript thread, begun anew by each reading. */
let idle: NodeJS.Timeout | undefined

/** The addon closes what is idle whenever it reads; after the last reading somebody has to remind it. */
function closeOnceIdle(): void {
  idle ??= setTimeout(() => native().readMeters(new Int32Array(0), 0, () => undefined), IDLE_MS).unref()
  idle.refresh()
}

/** A reading that is under way. */
export interface PendingReading {
  readonly done: Promise<MetersReading>
  /** Takes it back while it has not started: it never resolves then. */
  readonly cancel: () => void
}

/** Reads files of the `groups` (bits) of meters, on the native thread for reading, one meter after the other. */
export function readMeters(meters: readonly Meter[], groups: number): PendingReading {
  const ids = Int32Array.from(meters, ({ id }) => id)
  let ticket = 0
  const done = new Promise<MetersReading>((resolve) => {
    ticket = native().readMeters(ids, groups, (result) => resolve(decodeReading(meters, groups, result)))
  })
  opened(ticket, 'readMeters')
  closeOnceIdle()
  return { done, cancel: () => void native().cancelBatch(ticket) }
}

/** Unpacks the addon's result. */
function decodeReading(meters: readonly Meter[], groups: number, result: ArrayBuffer): MetersReading {
  const start = (RESULT_HEADER_WORDS + RESULT_OP_WORDS) * Int32Array.BYTES_PER_ELEMENT
  const figures = new Float64Array(result, start)
  let at = 1
  const take = (file: FormFile): FileReading => {
    const errno = figures[at] ?? 0
    at += 1
    if (errno !== 0) return { errno, figures: NO_FIGURES }
    const end = at + lengthOf(file, figures[at] ?? 0)
    // A list of its own takes a fifth of the time that a view of the array does.
    const own: number[] = []
    for (; at < end; at += 1) own.push(figures[at] ?? 0)
    return { errno, figures: own }
  }
  return {
    keptAtMost: figures[0] ?? 0,
    meters: meters.map(({ form }) =>
      form.files.map((file) => ((file.groups & groups) === 0 ? undefined : take(file))),
    ),
  }
}

const NO_FIGURES: Figures = []

/** How many numbers a file's figures are. @param first of them */
function lengthOf({ format, fields }: FigureFile, first: number): number {
  switch (format) {
    case FigureFormat.Numbers:
      return 1 + first
    case FigureFormat.Fields:
    case FigureFormat.Pairs:
      return fields.length
    case FigureFormat.LineDevices:
    case FigureFormat.PairDevices:
      return 1 + first * (2 + fields.length)
    case FigureFormat.LineCount:
      return 1
  }
}

function placeKey(version: 1 | 2, directory: number): number {
  return directory * 2 + version - 1
}

function opened(id: number, syscall: string): number {
  if (id >= 0) return id
  throw new CgroupError(errnoName(-id), `the addon refuses ${syscall}: ${errnoText(-id)}`, {
    errno: id,
    syscall,
  })
}
