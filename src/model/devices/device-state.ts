import { VmcgError } from '../../errors'
import {
  coversDevices,
  type DeviceRule,
  type DeviceSet,
  formatDeviceRule,
  intersection,
  overlaps,
} from '../device-rule'
import {
  type DeviceAccess,
  type DeviceException,
  isSameDevice,
  withAccess,
  withoutAccess,
} from './device-access'
import { allowingRule } from './rule-list'

/** The two exceptions that together allow everything. */
export const EVERY_DEVICE: readonly DeviceException[] = (['b', 'c'] as const).map((type) => ({
  type,
  major: undefined,
  minor: undefined,
  access: ['r', 'w', 'm'],
}))

/** Something that is denied in the middle of what a wildcard allows. */
interface Hole {
  readonly part: DeviceSet
  readonly denied: DeviceRule
  readonly allowed: DeviceRule
}

interface Standing {
  readonly exceptions: readonly DeviceException[]
  readonly holes: readonly Hole[]
}

/**
 * What a list of rules means: nothing is allowed at first, and each rule wins over those before it. Rules for the same
 * numbers become one exception with the letters of both; `a` stands for `b` and `c`, since the kernel takes any rule
 * that begins with `a` for `a *:* rwm`. A list that allows everything is `{ byDefault: 'allow' }`.
 *
 * @throws `ERR_VMCG_UNSUPPORTED`, naming both rules, for a hole: a deny rule inside of what an allow rule with a
 *   wildcard allows, unless a later rule fills it. Where all is denied by default the kernel ignores it without a word,
 *   and where all is allowed by default nobody can see whether it is there.
 */
export function deviceState(rules: readonly DeviceRule[]): DeviceAccess {
  const { exceptions, holes } = rules.reduce<Standing>(
    (standing, rule, index) =>
      prune(rule.allow ? allow(standing, rule) : deny(standing, rule, rules.slice(0, index))),
    { exceptions: [], holes: [] },
  )
  const [hole] = holes
  if (hole !== undefined) refuse(hole)
  const isEverything = EVERY_DEVICE.every((all) =>
    exceptions.some((each) => isSameDevice(each, all) && each.access.length === all.access.length),
  )
  return isEverything ? { byDefault: 'allow' } : { byDefault: 'deny', exceptions }
}

function perType(rule: DeviceSet): readonly DeviceException[] {
  const { major, minor, access } = rule
  const types = rule.type === 'a' ? (['b', 'c'] as const) : [rule.type]
  return types.map((type) => ({ type, major, minor, access }))
}

function allow({ exceptions, holes }: Standing, rule: DeviceRule): Standing {
  return {
    exceptions: perType(rule).reduce(withAccess, exceptions),
    holes: holes.flatMap((hole) => fill(hole, rule)),
  }
}

function fill(hole: Hole, rule: DeviceRule): Hole[] {
  if (!coversDevices(rule, hole.part)) return [hole]
  const access = hole.part.access.filter((letter) => !rule.access.includes(letter))
  return access.length === 0 ? [] : [{ ...hole, part: { ...hole.part, access } }]
}

function deny(standing: Standing, denied: DeviceRule, earlier: readonly DeviceRule[]): Standing {
  const exceptions = withoutAccess(standing.exceptions, (each) => coversDevices(denied, each), denied.access)
  const holes = exceptions.flatMap((each): Hole[] => {
    const part = intersection(denied, each)
    const allowed = part && allowingRule(earlier, part)
    return part === undefined || allowed === undefined ? [] : [{ part, denied, allowed }]
  })
  return { exceptions, holes: [...standing.holes, ...holes] }
}

/** Without the holes whose wildcard is gone by now. */
function prune({ exceptions, holes }: Standing): Standing {
  return { exceptions, holes: holes.filter(({ part }) => exceptions.some((each) => overlaps(each, part))) }
}

function refuse({ denied, allowed }: Hole): never {
  throw new VmcgError(
    'ERR_VMCG_UNSUPPORTED',
    `the device rule "deny ${formatDeviceRule(denied)}" is for a part of what the rule "allow ` +
      `${formatDeviceRule(allowed)}" allows, and the kernel's device controller has no such holes`,
    {
      value: formatDeviceRule(denied),
      hint: 'allow the devices one by one instead of by a wildcard, or drop the deny rule',
    },
  )
}
