import { SystemdError, VmcgError } from './errors'
import { isSystemdHost } from './host/systemd'
import { badArgument } from './model/argument'
import { systemdUnit } from './model/cgroup-path'
import { checkParentPath } from './model/parent-path'
import { quote, short } from './model/quote'
import { checkSandboxId } from './model/sandbox-id'
import type { SandboxState, ScopeState } from './state/state-file'

/**
 * Who makes the cgroup that the sandbox's own is in: vmcg itself, or systemd, which then knows of it. `auto` is systemd for
 * a systemd path, and cgroupfs for every other one.
 */
export type DriverOption = 'auto' | 'systemd' | 'cgroupfs'

/** Where a state is, and the unit that systemd is to make, if it is. */
export type DrivenPlace = Pick<SandboxState, 'driver' | 'parent' | 'id'> & {
  readonly scope: ScopeState | null
}

const DEFAULT_PARENT = '/kata'
const DEFAULT_PREFIX = 'vmcg'
/** Where each systemd has what belongs to nobody else: that of the system, and that of a user. */
const DEFAULT_SLICES = { system: 'system.slice', user: 'app.slice' } as const

/** A slice, or a slice and the prefix of a unit's name. */
const SLICE_AND_PREFIX = /^([^/:]*\.slice)(?::([^/:]*))?$/

/** @throws `ERR_VMCG_INVALID_ARGUMENT` */
export function checkDriver(driver: unknown): DriverOption {
  if (driver === undefined) return 'auto'
  if (driver === 'auto' || driver === 'systemd' || driver === 'cgroupfs') return driver
  throw badArgument('driver', "'auto', 'systemd' or 'cgroupfs'", driver)
}

/**
 * Where a `Sandbox` is: its parent is a cgroup, or a slice of systemd (`'machine.slice'`), with a prefix for the unit's
 * name if one is wanted (`'machine.slice:vm'`).
 *
 * @throws `ERR_VMCG_INVALID_ID`; `ERR_VMCG_INVALID_PATH` for a parent that the driver does not take; else as
 *   {@link systemdPlace}.
 */
export function sandboxPlace(
  options: {
    readonly id: string
    readonly parent?: string | undefined
    readonly driver?: DriverOption | undefined
  },
  isBooted = isSystemdHost,
): DrivenPlace {
  const driver = checkDriver(options.driver)
  const id = checkSandboxId(options.id)
  const { parent = driver === 'systemd' ? defaultParent() : DEFAULT_PARENT } = options
  const [, slice, prefix = DEFAULT_PREFIX] =
    (typeof parent === 'string' && driver !== 'cgroupfs' && SLICE_AND_PREFIX.exec(parent)) || []
  if (slice !== undefined) return systemdPlace(`${slice}:${prefix}:${id}`, `vmcg sandbox ${id}`, isBooted)
  if (driver === 'systemd') throw noSlice(parent)
  return { driver: 'cgroupfs', parent: checkParentPath(parent), id, scope: null }
}

/**
 * The place of a `slice:prefix:name`.
 *
 * @param description of the unit, one line for people.
 * @param isBooted whether systemd runs the host.
 * @throws `ERR_VMCG_SYSTEMD_MISSING` on a host that systemd does not run; `ERR_VMCG_INVALID_PATH`;
 *   `ERR_VMCG_UNSUPPORTED` for a name that is a slice: processes are in scopes.
 */
export function systemdPlace(path: string, description: string, isBooted = isSystemdHost): DrivenPlace {
  const { slice, unit, cgroupPath } = systemdUnit(path)
  if (!isBooted()) throw noSystemd(path)
  if (unit.endsWith('.slice')) throw isSlice(path, unit)
  const colon = path.lastIndexOf(':')
  return {
    driver: 'systemd',
    parent: path.slice(0, colon),
    id: path.slice(colon + 1),
    scope: {
      slice,
      unit,
      description,
      path: `${ownRoot()}${cgroupPath}`,
      hierarchies: [],
      invocationId: null,
    },
  }
}

function effectiveUid(): number {
  return process.geteuid?.() ?? 0
}

/** A slice and a prefix, for who names none. */
export function defaultParent(): string {
  const slice = effectiveUid() === 0 ? DEFAULT_SLICES.system : DEFAULT_SLICES.user
  return `${slice}:${DEFAULT_PREFIX}`
}

/** Where the units of this user's systemd are; those of root's are at the root. Source: systemd, user@.service. */
function ownRoot(): string {
  const uid = effectiveUid()
  return uid === 0 ? '' : `/user.slice/user-${uid}.slice/user@${uid}.service`
}

function noSlice(parent: unknown): VmcgError {
  return new VmcgError('ERR_VMCG_INVALID_PATH', `${quote(parent)} is no slice of systemd`, {
    value: short(parent),
    hint: "pass a parent such as machine.slice, or machine.slice:PREFIX; or leave out driver: 'systemd'",
  })
}

function noSystemd(path: string): SystemdError {
  const message = `${quote(path)} is a path for systemd, and systemd does not run this host`
  return new SystemdError('ERR_VMCG_SYSTEMD_MISSING', message, {
    path: '/run/systemd/system',
    value: short(path),
    hint: 'pass a cgroupfs path, such as /vc/sandbox1 (a Sandbox: a parent such as /kata)',
  })
}

function isSlice(path: string, unit: string): VmcgError {
  const message = `${quote(path)} names the slice ${unit}, and processes are put into scopes`
  return new VmcgError('ERR_VMCG_UNSUPPORTED', message, {
    value: short(path),
    hint: `pass ${unit}:vmcg:NAME, which is a scope in that slice`,
  })
}
