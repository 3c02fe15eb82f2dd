import { covers, type DeviceRule, type DeviceSet, intersection, overlaps } from '../device-rule'

/** The rule by which some of `probe` ends up allowed: a later rule wins over an earlier one. */
export function allowingRule(rules: readonly DeviceRule[], probe: DeviceSet): DeviceRule | undefined {
  for (const rule of rules.toReversed()) {
    if (rule.allow && overlaps(rule, probe)) return rule
    if (!rule.allow && covers(rule, probe)) return undefined
  }
  return undefined
}

/**
 * Rules that follow a deny-all, with each deny rule cut down to what it takes from the allow rules before it. One that
 * takes nothing only repeats the deny-all, and is dropped: Docker's default list has such a rule for `c 10:229`.
 */
export function withoutIdleDenials(rules: readonly DeviceRule[]): readonly DeviceRule[] {
  return rules.flatMap((rule, index) => {
    if (rule.allow) return [rule]
    const taken = rules.slice(0, index).flatMap((earlier) => {
      const part = earlier.allow ? intersection(rule, earlier) : undefined
      return part === undefined ? [] : [{ allow: false, ...part }]
    })
    return taken.filter((part, at) => !taken.slice(0, at).some((before) => covers(before, part)))
  })
}
