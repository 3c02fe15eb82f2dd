import type { DeviceAccess } from '../model/devices/device-access'
import { deviceProgram } from '../model/devices/device-program'
import { deviceState } from '../model/devices/device-state'
import { type Desired, sandboxPaths } from './desired'
import { pathChain } from './observed'
import type { NamedProgram } from './operations'
import type { PlanBuilder } from './plan-builder'
import {
  type ProgramPlace,
  readPrograms,
  refuseCrowded,
  refuseOutOfReach,
  refuseUnable,
} from './program-refusals'
import { ownProgram } from './remembered-program'

/**
 * Plans the device program of the sandbox's v2 cgroup: loaded where there is none of ours, in the place of ours where
 * the rules have changed, taken off where there are no rules any more. The same rules plan nothing. Programs of others
 * are left alone: the kernel grants what all of them grant. Rules that allow everything need no program.
 *
 * It belongs at the end of its stage: what was written before it is taken back when it fails, and it itself is not.
 *
 * @throws `ERR_VMCG_UNSUPPORTED` for rules that v1's device controller cannot express either, and for a kernel without
 *   device programs; `ERR_VMCG_NO_CAPABILITY`; `ERR_VMCG_FOREIGN_PROGRAM` where the programs of others leave no place.
 */
export function planDevicesV2(builder: PlanBuilder, desired: Desired): void {
  const unified = builder.hierarchies.find(({ version }) => version === 2)
  const wanted = wantedProgram(desired.devices)
  const remembered = desired.program ?? null
  if (unified === undefined || (wanted === null && remembered === null)) return
  const { id: hierarchy, mountPoint, cgroups } = unified
  const { sandbox: path } = sandboxPaths(desired)
  if (cgroups[path] === undefined) return

  const chain = pathChain(path)
    .toReversed()
    .map((each) => ({ path: each, programs: cgroups[each]?.devicePrograms }))
  const place: ProgramPlace = {
    subject: desired.id,
    mountPoint,
    chain,
    lacked: builder.state.lackedForPrograms ?? [],
  }
  const programs = readPrograms(place)
  const own = ownProgram(remembered, programs)
  const replaces = own && named(own, remembered?.attached?.name)
  if (replaces?.name === wanted?.name) return
  refuseOutOfReach(place, own)
  if (wanted !== null) {
    refuseUnable(place)
    refuseCrowded(place)
  }
  const beside = programs.map(({ id }) => id)
  builder.add({ kind: 'device-program', hierarchy, path, program: wanted && { ...wanted, beside }, replaces })
}

interface WantedProgram {
  readonly name: string
  readonly access: DeviceAccess
}

/** null: nothing is to be held back. */
function wantedProgram(rules: Desired['devices']): WantedProgram | null {
  if (rules === null) return null
  const access = deviceState(rules)
  return access.byDefault === 'allow' ? null : { name: deviceProgram(access).name, access }
}

/** A name that cannot be read is the one that is remembered for the id. */
function named(own: { readonly id: number; readonly name: string | null }, remembered = ''): NamedProgram {
  return { id: own.id, name: own.name ?? remembered }
}
