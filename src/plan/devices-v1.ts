import { parseDevicesList } from '../model/devices/device-access'
import { deviceState } from '../model/devices/device-state'
import { deviceWrites } from '../model/devices/device-writes'
import type { Desired } from './desired'
import { sandboxPaths } from './desired'
import type { PlanBuilder } from './plan-builder'

/**
 * Plans the differences between what `devices.list` says and what the rules mean. Nothing is planned while nobody has
 * given rules: the cgroup then allows what its parent does.
 *
 * @throws `ERR_VMCG_UNSUPPORTED` for rules that the kernel's device controller cannot express.
 */
export function planDevices(builder: PlanBuilder, desired: Desired): void {
  const hierarchy = builder.hierarchyOf('devices')
  if (hierarchy === undefined || desired.devices === null) return
  const path = sandboxPaths(desired).sandbox
  const list = builder.knob(hierarchy, path, 'devices.list')
  if (list === undefined) return
  for (const { file, value } of deviceWrites(parseDevicesList(list), deviceState(desired.devices))) {
    builder.add({ kind: 'write-knob', hierarchy, path, knob: file, value, previous: null })
  }
}
