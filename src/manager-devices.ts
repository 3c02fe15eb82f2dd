import { VmcgError } from './errors'
import { deviceAt, hypervisorDevices } from './host/devices'
import type { Logger } from './log'
import type { CgroupManagerConfig, DeviceOptions } from './manager-options'
import { type DeviceRule, type DeviceSet, deviceRule, formatDeviceRule } from './model/device-rule'
import { removalConflict } from './model/devices/device-removal'
import { deviceRules } from './model/devices/device-rules'
import type { DeviceUse } from './model/devices/device-use'
import type { LinuxDeviceCgroup, LinuxResources } from './model/generated/oci'

/**
 * The device rules of a managed cgroup: null while `resources.devices` is not given, and then everything stays allowed
 * that the parent allows.
 */
export function managedDevices(
  resources: LinuxResources,
  uses: readonly DeviceUse[],
  options: CgroupManagerConfig['hypervisorDevices'],
  logger: Logger,
): readonly DeviceRule[] | null {
  if (resources.devices === undefined) return null
  return deviceRules({
    containers: resources.devices,
    hypervisor: hypervisorDevices({ ...options, logger }),
    extra: uses.map(({ rule }) => asOci(rule)),
  })
}

function asOci({ type, major, minor, access }: DeviceRule): LinuxDeviceCgroup {
  return {
    allow: true,
    type,
    ...(major !== undefined && { major }),
    ...(minor !== undefined && { minor }),
    access: access.join(''),
  }
}

/**
 * What this owner has added by this path, also when the node is gone by now, as that of an unplugged device is; else the
 * device that is there.
 *
 * @throws as `deviceAt`
 */
export function deviceToRemove(
  path: string,
  { owner = '', access }: DeviceOptions,
  uses: readonly DeviceUse[],
): DeviceRule {
  const added = uses.find((use) => use.owner === owner && use.path === path)
  return added?.rule ?? deviceRule(deviceAt(path, access))
}

/** @throws `ERR_VMCG_DEVICE_IN_USE` when another rule would go on allowing what is removed. */
export function refuseIdleRemoval(
  removed: DeviceSet,
  others: readonly DeviceRule[] | null,
  path: string,
): void {
  const conflict = others === null ? undefined : removalConflict(removed, others)
  if (conflict === undefined) return
  throw new VmcgError(
    'ERR_VMCG_DEVICE_IN_USE',
    `${path} (${formatDeviceRule(removed)}) cannot be removed: the rule "${formatDeviceRule(conflict)}" still allows it`,
    { path, value: formatDeviceRule(removed), hint: 'remove that rule from the resources first' },
  )
}
