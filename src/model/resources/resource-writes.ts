import { badArgument, checkObject, checkObjects, checkOptionalText, checkText } from '../argument'
import type { LinuxResources } from '../generated/oci'
import { demandsV1 } from './demands-v1'
import { demandsV2 } from './demands-v2'
import { type DemandContext, KnobTexts, type KnobWrite, type ObservedKnobs } from './knob'
import { joinLimits, splitLimits } from './named-limits'
import { DEFAULT_PAGE_SIZE } from './pages'
import { isPending } from './pending'
import { type OnUnsupported, throwUnsupported } from './unsupported'
import { checkVersion } from './version'

export interface ResourceWritesOptions {
  /** Of the hierarchies that the cgroup is in. */
  readonly version: 1 | 2
  /**
   * What the cgroup's knobs say now; read those that `knobsOf` names, and leave out or set to undefined those that do
   * not exist. Without it the writes are those for a new cgroup.
   */
  readonly observed?: ObservedKnobs | undefined
  /**
   * What earlier calls returned and was written, the latest last. Of these knobs, those that `resources` asks nothing
   * of any more go back to what they say in a new cgroup; what was never written is left alone.
   */
  readonly previous?: readonly KnobWrite[] | undefined
  /** Bytes of a page of memory, `getconf PAGESIZE`; default 4096. */
  readonly pageSize?: number | undefined
  /**
   * Is told of each field that this version or this kernel has nothing for, by the error with which it would be
   * refused; the field is then left out. @default the error is thrown
   */
  readonly onUnsupported?: OnUnsupported | undefined
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no whole text of a knob: with its last newline nothing is the same. */
function checkObserved(observed: ObservedKnobs | undefined): void {
  if (observed === undefined) return
  checkObject('observed', observed)
  for (const [file, text] of Object.entries(observed)) {
    checkOptionalText(`observed['${file}']`, text)
    if (text?.endsWith('\n') !== true) continue
    const hint = 'take it off what was read: text.trimEnd()'
    throw badArgument(`observed['${file}']`, 'the text of a knob without its last newline', text, hint)
  }
}

const DEMANDS = { 1: demandsV1, 2: demandsV2 } as const

/**
 * What to write to the knobs of a cgroup so that it has these resources, in the order to write them: no write on the
 * way is one that the kernel refuses for what another knob says at that moment. Knobs that already say so are left out,
 * so that a second call with what the kernel says after the first returns nothing.
 *
 * A field that is absent asks for nothing; so does a 0 in shares, quota, periods, weights and memory limits, as in
 * runc. -1 is "no limit". `devices` are not written here. `cpu.rt_*` must be written before anything joins the cgroup.
 *
 * On v2 `cpu.max` is written whole: a quota without a period is one per 100 ms, and a period without a quota means no
 * limit. `unified` comes last, in the order given, and takes the place of what other fields say of the same knob; writes
 * move only where the kernel would refuse that order.
 *
 * @param resources OCI `linux.resources`. Bytes, microseconds, and per second.
 * @param options Version, what the knobs say now, and what was written before.
 * @returns One entry per `write()`.
 * @throws Before anything is written, with field, value and reason:
 *   `ERR_VMCG_OUT_OF_RANGE` for numbers that the kernel would refuse or clamp, alone or together with another;
 *   `ERR_VMCG_INVALID_ARGUMENT` for wrong types, numbers that are no integers or beyond 2^53, malformed lists and
 *   names, `unified` files that hold no setting or contradict each other, and observed texts that end in a newline; `ERR_VMCG_UNSUPPORTED` for what the version has nothing for (v1:
 *   `unified`, kernel memory; v2: realtime, swappiness, kernel memory, disableOOMKiller, network, leafWeight), and for
 *   knobs that are not there.
 *
 * Source: OCI runtime-spec config-linux.md; kernel, Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
 */
export function resourceWrites(
  resources: LinuxResources,
  options: ResourceWritesOptions,
): readonly KnobWrite[] {
  checkObject('resources', resources)
  checkObject('options', options)
  const { version, observed, previous = [], pageSize = DEFAULT_PAGE_SIZE } = options
  checkObserved(observed)
  checkObjects('previous', previous)
  for (const [index, { file, value }] of previous.entries()) {
    checkText(`previous[${index}].file`, file)
    checkText(`previous[${index}].value`, value)
  }
  checkVersion(version)
  const context: DemandContext = {
    now: new KnobTexts(observed),
    previous: previous.flatMap((write) => splitLimits(write)),
    pageSize,
    onUnsupported: options.onUnsupported ?? throwUnsupported,
  }
  const pending = DEMANDS[version](resources, context).filter((demand) => isPending(version, demand, context))
  return joinLimits(pending.map(({ controller, file, value }) => ({ controller, file, value })))
}
