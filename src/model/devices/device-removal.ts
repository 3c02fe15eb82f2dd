import type { DeviceRule, DeviceSet } from '../device-rule'
import { allowingRule } from './rule-list'

/**
 * The rule by which a device could still be opened although `removed` were taken away; undefined when none allows it.
 * A removal with such a rule is to be refused: the kernel would go on as before.
 *
 * Rules that allow only to make nodes, as {@link DEFAULT_DEVICES} does for every device, don't count: a node that
 * nobody may open gives nothing away. For the same reason a removal is about opening, unless it was only about nodes.
 *
 * @param others The rules that stay, in the order in which they count.
 */
export function removalConflict(removed: DeviceSet, others: readonly DeviceRule[]): DeviceRule | undefined {
  const opening = removed.access.filter((letter) => letter !== 'm')
  return allowingRule(others, opening.length === 0 ? removed : { ...removed, access: opening })
}
