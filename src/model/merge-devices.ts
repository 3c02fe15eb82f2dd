import { VmcgError } from '../errors'
import type { ContainerResources } from './container'
import {
  covers,
  DENY_ALL,
  type DeviceRule,
  deviceRule,
  formatDeviceRule,
  overlaps,
  toOci,
} from './device-rule'
import { allowingRule, withoutIdleDenials } from './devices/rule-list'
import type { LinuxDeviceCgroup } from './generated/oci'
import { quote } from './quote'

interface ContainerRules {
  readonly id: string
  readonly rules: readonly DeviceRule[]
}

const EVERYTHING = deviceRule(DENY_ALL)

/**
 * A container's rules after its last deny-all, which undoes whatever came before it. What a deny rule then only repeats
 * of the deny-all is no rule of its own, and does not argue with other containers. Without a deny-all it does.
 */
function rulesOf({ id, resources }: ContainerResources): ContainerRules {
  const rules = (resources?.devices ?? []).map(deviceRule)
  const denyAll = rules.findLastIndex((rule) => !rule.allow && covers(rule, EVERYTHING))
  return { id, rules: denyAll === -1 ? rules : withoutIdleDenials(rules.slice(denyAll + 1)) }
}

/** The rules that deny something and are not taken back by a later rule of the same container. */
function standingDenials({ rules }: ContainerRules): DeviceRule[] {
  return rules.filter(
    (rule, index) =>
      !rule.allow && !rules.slice(index + 1).some((later) => later.allow && covers(later, rule)),
  )
}

function checkContradictions(containers: readonly ContainerRules[]): void {
  for (const container of containers) {
    for (const denied of standingDenials(container)) {
      for (const other of containers) {
        const allowed = other === container ? undefined : allowingRule(other.rules, denied)
        if (allowed === undefined) continue
        throw new VmcgError(
          'ERR_VMCG_INVALID_SPEC',
          `container ${quote(container.id)} denies the device ${formatDeviceRule(denied)}, but container ` +
            `${quote(other.id)} allows ${formatDeviceRule(allowed)}`,
          {
            value: formatDeviceRule(denied),
            hint: 'one cgroup holds the VM of both containers: drop the deny rule or the allow rule',
          },
        )
      }
    }
  }
}

/**
 * Adds a rule at the end, where it changes anything: not when an earlier rule says the same and none in between says
 * otherwise, and not when it denies what only the deny-all at the beginning concerns.
 */
function append(merged: readonly DeviceRule[], rule: DeviceRule): readonly DeviceRule[] {
  for (const earlier of merged.toReversed()) {
    if (earlier.allow === rule.allow ? covers(earlier, rule) : overlaps(earlier, rule)) {
      return earlier.allow === rule.allow ? merged : [...merged, rule]
    }
  }
  return rule.allow ? [...merged, rule] : merged
}

/**
 * One list of device rules for all containers: a deny-all, then what each of them allows, in the containers' order and
 * without repetitions. A deny rule stays where it takes something away from an allow rule of its own container.
 *
 * @returns undefined when no container has rules.
 * @throws `ERR_VMCG_INVALID_SPEC`, naming both containers, when one denies by a rule of its own what another
 *   allows. A deny-all is none, nor is what only repeats it.
 */
export function mergeDevices(containers: readonly ContainerResources[]): LinuxDeviceCgroup[] | undefined {
  if (!containers.some(({ resources }) => (resources?.devices ?? []).length > 0)) return undefined
  const perContainer = containers.map(rulesOf)
  checkContradictions(perContainer)
  const merged = perContainer.flatMap(({ rules }) => rules).reduce(append, [])
  return [DENY_ALL, ...merged.map(toOci)]
}
