import { VmcgError } from './errors'
import { deviceAt, hypervisorDevices } from './host/devices'
import type { Logger } from './log'
import type { CgroupManagerConfig, DeviceOptions } from './manager-options'
import { type DeviceRule, type DeviceSet, deviceRule, formatDeviceRule } from './model/device-rule'
import { DEFAULT_DEVICES } from './model/devices/default-devices'
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
 * What this owner has added by this path, also when the node is gone by now, as that of an unplugged device is; else
 * the device that is there.
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

/**
 * @param others the rules that stay; null where devices are not controlled.
 * @param options the hypervisor's, for a hint at whose rule it is.
 * @throws `ERR_VMCG_DEVICE_IN_USE` when another rule would go on allowing what is removed.
 */
export function refuseIdleRemoval(
  removed: DeviceSet,
  others: readonly DeviceRule[] | null,
  path: string,
  options: CgroupManagerConfig['hypervisorDevices'],
): void {
  const conflict = others === null ? undefined : removalConflict(removed, others)
  if (conflict === undefined) return
  const rule = formatDeviceRule(removed)
  throw new VmcgError(
    'ERR_VMCG_DEVICE_IN_USE',
    `${path} (${rule}) cannot be removed: the rule "${formatDeviceRule(conflict)}" still allows it`,
    { path, value: rule, hint: wayOut(removed, options) },
  )
}

/** By the last kind of rules that allow it: those count. */
function wayOut(removed: DeviceSet, options: CgroupManagerConfig['hypervisorDevices']): string {
  const isAllowedBy = (rules: readonly LinuxDeviceCgroup[]) =>
    removalConflict(removed, rules.map(deviceRule)) !== undefined
  if (isAllowedBy(DEFAULT_DEVICES)) {
    return 'it is one of the usual devices that no cgroup with device rules is without, such as /dev/null'
  }
  if (isAllowedBy(hypervisorDevices({ ...options, logger: { warn() {} } }))) {
    return "the rule is the hypervisor's: those of paths and deviceMapper in hypervisorDevices can be left out there"
  }
  return 'leave that rule out of resources.devices first: apply() with the others'
}
