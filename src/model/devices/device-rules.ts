import { covers, DENY_ALL, type DeviceRule, deviceRule } from '../device-rule'
import type { LinuxDeviceCgroup } from '../generated/oci'
import { checkedDeviceRule } from './checked-rule'
import { DEFAULT_DEVICES } from './default-devices'
import { deviceState } from './device-state'
import { withoutIdleDenials } from './rule-list'

export interface DeviceRuleSources {
  /** `linux.resources.devices`, of several containers already merged. */
  readonly containers: readonly LinuxDeviceCgroup[]
  /** What the VMM itself needs. */
  readonly hypervisor: readonly LinuxDeviceCgroup[]
  /** Devices that were added since. */
  readonly extra?: readonly LinuxDeviceCgroup[] | undefined
}

/**
 * The rules of a cgroup that holds a VM, in the order in which they count: a deny-all, the containers', the
 * hypervisor's, the ones added since, and {@link DEFAULT_DEVICES}. Deny rules that only repeat the deny-all are left
 * out, and of the others what is not allowed before them.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` and `ERR_VMCG_OUT_OF_RANGE` as {@link checkedDeviceRule}, naming the field, such
 *   as `linux.resources.devices[3].access`; `ERR_VMCG_UNSUPPORTED` for a hole in a wildcard, as {@link deviceState}.
 */
export function deviceRules({
  containers,
  hypervisor,
  extra = [],
}: DeviceRuleSources): readonly DeviceRule[] {
  const denyAll = deviceRule(DENY_ALL)
  const rules = [
    ...checked('linux.resources.devices', containers),
    ...checked('hypervisor devices', hypervisor),
    ...checked('added devices', extra),
    ...DEFAULT_DEVICES.map(deviceRule),
  ]
  const last = rules.findLastIndex((rule) => !rule.allow && covers(rule, denyAll))
  const effective = [denyAll, ...withoutIdleDenials(rules.slice(last + 1))]
  deviceState(effective)
  return effective
}

function checked(field: string, rules: readonly LinuxDeviceCgroup[]): DeviceRule[] {
  return rules.map((rule, index) => checkedDeviceRule(rule, `${field}[${index}]`))
}
