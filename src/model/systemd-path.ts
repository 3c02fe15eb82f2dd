import { VmcgError } from '../errors'
import { quote, short } from './quote'

/** What systemd makes of a `slice:prefix:name`. */
export interface SystemdUnit {
  /** The slice that the unit is in, such as `'kubepods-besteffort.slice'`. */
  readonly slice: string
  /** Such as `'cri-containerd-1a2b.scope'`. */
  readonly unit: string
  /** Where systemd puts it: `'/kubepods.slice/kubepods-besteffort.slice/cri-containerd-1a2b.scope'`. */
  readonly cgroupPath: string
}

const SLICE = '.slice'
const ROOT_SLICE = '-.slice'
/** UNIT_NAME_MAX of systemd counts the NUL at the end. It is the kernel's limit for the name of a cgroup, too. */
const MAX_UNIT_BYTES = 255
/** PATH_MAX of the kernel counts the NUL. A slice of many words is a long way down, since each level repeats them. */
const MAX_PATH_BYTES = 4095

/**
 * What systemd takes in a unit's name (src/basic/unit-name.c, VALID_CHARS), but for the colon, which separates the
 * fields here, and `@`, since neither scopes nor slices have instances.
 */
const FIELD = /^[A-Za-z0-9_.\\-]+$/

function refuse(path: unknown, why: string): VmcgError {
  return new VmcgError('ERR_VMCG_INVALID_PATH', `${quote(path)} is no systemd cgroups path: ${why}`, {
    value: short(path),
    hint: 'pass slice:prefix:name, such as system.slice:vmcg:sandbox-1',
  })
}

/** True for what can only be meant as a systemd path, well-formed or not: a slice before a colon. */
export function looksLikeSystemd(path: string): boolean {
  return typeof path === 'string' && /^[^/:]*\.slice:/.test(path)
}

/**
 * True for a path of the form `slice:prefix:name` that {@link systemdUnit} takes.
 *
 * Source: runc, docs/systemd.md; Kata, IsSystemdCgroup as of 2020-07 (three fields, the first a slice), without the
 * newlines, slashes and `..` that one lets pass.
 */
export function isSystemdCgroupPath(path: string): boolean {
  return typeof path === 'string' && typeof parse(path) !== 'string'
}

/**
 * The unit that a `slice:prefix:name` stands for, and the cgroup that systemd gives it. The unit is the scope
 * `<prefix>-<name>.scope`, unless the name is a slice by itself, which then is the unit.
 *
 * @throws `ERR_VMCG_INVALID_PATH` for what is not of that form, for names that systemd refuses, and for a slice that
 *   systemd would put elsewhere, since a slice's place follows from its name.
 *
 * Source: systemd.slice(5) and systemd.unit(5) (names), systemd's cg_escape (the `_` before some names); runc,
 * docs/systemd.md.
 */
export function systemdUnit(path: string): SystemdUnit {
  if (typeof path !== 'string') throw refuse(path, 'it must be a string')
  const unit = parse(path)
  if (typeof unit === 'string') throw refuse(path, unit)
  return unit
}

/** The unit, or in words why there is none. */
function parse(path: string): SystemdUnit | string {
  const [slice, prefix, name, ...others] = path.split(':')
  if (slice === undefined || prefix === undefined || name === undefined || others.length > 0) {
    return 'it does not have the three fields slice:prefix:name'
  }
  for (const [field, text] of [
    ['slice', slice],
    ['prefix', prefix],
    ['name', name],
  ] as const) {
    if (text === '') return `its ${field} is empty`
    if (!FIELD.test(text))
      return `its ${field} ${quote(text)} has a character that systemd takes in no unit's name`
    if (text.includes('..')) return `its ${field} ${quote(text)} has a ".."`
  }
  if (!isSlice(slice))
    return `${quote(slice)} is no slice: words joined by single dashes, and ${quote(SLICE)}`
  const unit = name.endsWith(SLICE) ? name : `${prefix}-${name}.scope`
  if (unit.length > MAX_UNIT_BYTES) return `the unit's name is longer than ${MAX_UNIT_BYTES} bytes`
  if (unit.endsWith(SLICE)) {
    if (!isSlice(unit) || unit === ROOT_SLICE) return `${quote(unit)} is no slice that can be made`
    if (parentSlice(unit) !== slice) return `systemd puts ${unit} in ${parentSlice(unit)}, not in ${slice}`
  }
  const cgroupPath = `${expandSlice(slice)}/${escapeName(unit)}`
  return tooLong(cgroupPath) ?? { slice, unit, cgroupPath }
}

/** Why the kernel would not take the path, in words, if it would not. */
function tooLong(cgroupPath: string): string | undefined {
  const name = cgroupPath.split('/').find((part) => part.length > MAX_UNIT_BYTES)
  if (name !== undefined)
    return `systemd names its cgroup ${quote(name)}, which is longer than ${MAX_UNIT_BYTES} bytes`
  return cgroupPath.length > MAX_PATH_BYTES
    ? `the path of its cgroup, with a level for each dash of the slice, is longer than ${MAX_PATH_BYTES} bytes`
    : undefined
}

/** As systemd's slice_name_is_valid: no dash at either end, no two in a row; `-.slice` is the root. */
function isSlice(name: string): boolean {
  if (name === ROOT_SLICE) return true
  const stem = name.slice(0, -SLICE.length)
  return name.endsWith(SLICE) && name.length <= MAX_UNIT_BYTES && stem.split('-').every((word) => word !== '')
}

function parentSlice(slice: string): string {
  const dash = slice.lastIndexOf('-')
  return dash === -1 ? ROOT_SLICE : `${slice.slice(0, dash)}${SLICE}`
}

/** `a-b.slice` is in `a.slice`: each dash is a level. */
function expandSlice(slice: string): string {
  return slice === ROOT_SLICE ? '' : `${expandSlice(parentSlice(slice))}/${escapeName(slice)}`
}

/** The controllers of systemd (src/basic/cgroup-util.c), whose names its cgroups must not begin with. */
const CONTROLLERS = ['cpu', 'cpuacct', 'cpuset', 'io', 'blkio', 'memory', 'devices', 'pids']

/** As systemd's cg_escape: an underscore keeps a unit's cgroup apart from the kernel's files. */
function escapeName(unit: string): string {
  const isKernelLike = ['cgroup', ...CONTROLLERS].some((name) => unit.startsWith(`${name}.`))
  return isKernelLike || /^[_.]/.test(unit) ? `_${unit}` : unit
}
