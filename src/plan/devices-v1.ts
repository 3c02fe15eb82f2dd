import { type DeviceAccess, parseDevicesList } from '../model/devices/device-access'
import { deviceState } from '../model/devices/device-state'
import { deviceWrites, emptiesFirst } from '../model/devices/device-writes'
import type { Desired } from './desired'
import { sandboxPaths } from './desired'
import { DEVICE_RULES } from './managed'
import type { PlanBuilder } from './plan-builder'
import { whileStandingStill } from './stand-still'

/**
 * Plans the differences between what `devices.list` says and what the rules mean. Where there are no rules any more,
 * and vmcg has written some before, the cgroup gets what its parent allows. Where there never were any, nothing is
 * planned. The first rules of a cgroup with processes in it are written while these stand still: they begin by denying
 * everything.
 *
 * @throws `ERR_VMCG_UNSUPPORTED` for rules that the kernel's device controller cannot express.
 */
export function planDevicesV1(builder: PlanBuilder, desired: Desired): void {
  const hierarchy = builder.hierarchyOf('devices')
  if (hierarchy === undefined) return
  const { sandbox: path, parent } = sandboxPaths(desired)
  const access = (cgroup: string): DeviceAccess | undefined => {
    const list = builder.knob(hierarchy, cgroup, DEVICE_RULES)
    return list === undefined ? undefined : parseDevicesList(list)
  }
  const hasRules = desired.managed.some((managed) => managed.path === path && managed.knob === DEVICE_RULES)
  const lifted = hasRules ? access(parent) : undefined
  const wanted = desired.devices === null ? lifted : deviceState(desired.devices)
  const observed = access(path)
  if (observed === undefined || wanted === undefined) return
  const write = () => {
    for (const { file, value } of deviceWrites(observed, wanted)) {
      builder.add({ kind: 'write-knob', hierarchy, path, knob: file, value, previous: null })
    }
  }
  if (emptiesFirst(observed, wanted)) {
    whileStandingStill(builder, { hierarchy, path, ownPid: desired.ownPid }, write)
  } else write()
}
