import { badArgument } from './model/argument'
import type { LinuxResources } from './model/generated/oci'
import { DEFAULT_PERIOD_US } from './model/limits'
import type { ScopedSession } from './session-scope'
import type { SandboxState } from './state/state-file'
import type { UnitLimits } from './systemd/scope-properties'
import type { SystemdCallOptions } from './systemd/systemd-units'

// Limits that are written to the unit as well, for the eyes of `systemctl`. What holds is in the cgroups below.

const NONE: UnitLimits = { memoryMaxBytes: null, pidsMax: null, cpuQuota: null }
const NAMES = ['memoryMaxBytes', 'pidsMax', 'cpuQuota'] as const

/**
 * A state whose unit shows limits from now on, where somebody asks for that.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` where there is no unit.
 */
export function withMirror(state: SandboxState, mirror: boolean | undefined): SandboxState {
  if (mirror !== true) return state
  const { scope } = state
  if (!scope) throw badArgument('mirror', 'left out where systemd does not make the cgroup', mirror)
  return scope.mirror === undefined ? { ...state, scope: { ...scope, mirror: null } } : state
}

/** What a unit shows of resources. The quota of a sandbox is its vCPUs' alone: the VMM's other threads are in the unit too. */
export function mirrorOf(
  { memory, pids, cpu }: LinuxResources,
  { hasLeaf }: Pick<SandboxState, 'hasLeaf'>,
): UnitLimits {
  const { limit: bytes = -1 } = memory ?? {}
  const { quota = 0, period = DEFAULT_PERIOD_US } = cpu ?? {}
  return {
    // 0 is no limit, as in the cgroup.
    memoryMaxBytes: bytes <= 0 ? null : bytes,
    // systemd takes nothing less.
    pidsMax: pids === undefined || pids.limit < 0 ? null : Math.max(pids.limit, 1),
    cpuQuota: hasLeaf || quota <= 0 ? null : { quotaUs: quota, periodUs: period || DEFAULT_PERIOD_US },
  }
}

/**
 * Takes from the unit what is about to change, so that it is in nobody's way: on v1 a quota above the parent's is refused,
 * and everywhere the tighter one of two limits holds.
 */
export async function liftMirror(
  session: ScopedSession,
  resources: LinuxResources,
  options: SystemdCallOptions,
): Promise<void> {
  const { state } = session
  const shown = state.scope?.mirror
  if (!shown) return
  const wanted = mirrorOf(resources, state)
  const lifted = changed(shown, wanted).filter((name) => shown[name] !== null)
  await show(session, Object.fromEntries(lifted.map((name) => [name, null])), options)
}

/** Writes to the unit what holds by now, if it is another than it shows. */
export async function showMirror(
  session: ScopedSession,
  resources: LinuxResources,
  options: SystemdCallOptions,
): Promise<void> {
  const { state } = session
  const mirror = state.scope?.mirror
  if (mirror === undefined) return
  const wanted = mirrorOf(resources, state)
  const names = changed(mirror ?? NONE, wanted)
  await show(session, Object.fromEntries(names.map((name) => [name, wanted[name]])), options)
}

function changed(shown: UnitLimits, wanted: UnitLimits): readonly (typeof NAMES)[number][] {
  return NAMES.filter((name) => JSON.stringify(shown[name]) !== JSON.stringify(wanted[name]))
}

async function show(
  session: ScopedSession,
  limits: Partial<UnitLimits>,
  options: SystemdCallOptions,
): Promise<void> {
  const { scope } = session.state
  if (!scope || Object.keys(limits).length === 0) return
  const units = await session.systemdUnits(options)
  await units.setLimits(scope.unit, limits, options)
  await session.save({ scope: { ...scope, mirror: { ...(scope.mirror ?? NONE), ...limits } } })
}
