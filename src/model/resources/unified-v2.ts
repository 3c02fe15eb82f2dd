import type { LinuxResources } from '../generated/oci'
import { refuse, section } from './fields'
import { checkHugetlbFile } from './huge-page-size'
import { isKeyed, latestOfEach, placeOf } from './keyed-lines'
import type { Demand } from './knob'
import { splitLimits } from './named-limits'
import { holdsOneValue, refuseValue } from './unified-values'
import { EMPTY_LIST, isList } from './unlimited'

interface Refusal {
  readonly files: RegExp
  readonly why: string
  readonly hint?: string
}

/** Files that are no settings: what they do cannot be read back, or is for vmcg to do. */
const REFUSALS: readonly Refusal[] = [
  { files: /\//, why: 'leads out of the cgroup', hint: 'give the name of a file alone, such as memory.high' },
  {
    files: /^cgroup\.(?:procs|threads)$/,
    why: 'moves processes or threads',
    hint: 'use add() and addThreads()',
  },
  { files: /^cgroup\.type$/, why: 'changes what the cgroup can hold', hint: 'vmcg sees to it' },
  {
    files: /^cgroup\.subtree_control$/,
    why: 'gives controllers to the cgroups below',
    hint: 'vmcg enables what the limits need',
  },
  {
    files: /^cgroup\.(?:freeze|kill)$/,
    why: 'stops processes',
    hint: 'use freeze(), thaw() and kill()',
  },
  {
    files: /^memory\.reclaim$/,
    why: 'does something once, and leaves nothing behind that could be looked at',
    hint: 'set memory.high or memory.max',
  },
  {
    files: /^(?!cgroup\.)[^.]+\.pressure$/,
    why: 'is a trigger that ends with the descriptor it was written through',
    hint: 'poll the file yourself',
  },
  {
    files:
      /\.(?:stat|stat\.local|numa_stat|current|peak|events|events\.local|effective|isolated|capacity|controllers)$/,
    why: 'is a reading and no setting',
  },
]

/**
 * Checks the name of a file in `unified`, the controller before its first dot.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no file of a controller, or none that holds a setting.
 */
export function unifiedController(file: string): string {
  const refusal = REFUSALS.find(({ files }) => files.test(file))
  if (refusal !== undefined) {
    throw refuse('ERR_VMCG_INVALID_ARGUMENT', 'unified', file, refusal.why, refusal.hint)
  }
  const [, controller] = /^([a-z_]+)\.[\w.]*\w$/.exec(file) ?? []
  if (controller === 'hugetlb') checkHugetlbFile('unified', file)
  if (controller !== undefined) return controller
  const why = 'is no name of a file of a controller'
  throw refuse('ERR_VMCG_INVALID_ARGUMENT', 'unified', file, why, 'such as memory.high')
}

/** The entries of `unified`, checked. */
export function unifiedEntries(
  unified: LinuxResources['unified'],
): readonly (readonly [file: string, value: string])[] {
  const all = Object.entries(section('unified', unified) ?? {})
  for (const [file, value] of all) {
    unifiedController(file)
    if (typeof value === 'string' && !value.includes('\0')) continue
    throw refuse('ERR_VMCG_INVALID_ARGUMENT', `unified.${file}`, value, 'is no text')
  }
  return all
}

/**
 * What `linux.resources.unified` asks for: each line of each value is one write, in the order given.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for files that hold no setting, for values that are no text or empty, and for
 *   those that the kernel could not read; `ERR_VMCG_OUT_OF_RANGE` for those that it would refuse.
 *
 * Source: OCI runtime-spec config-linux.md, unified.
 */
export function unifiedDemands(unified: LinuxResources['unified']): readonly Demand[] {
  const demands = unifiedEntries(unified).flatMap(([file, text]) =>
    linesOf(file, text).flatMap((value) => {
      const field = `unified.${file}`
      refuseValue(file, field, value)
      return splitLimits({ controller: unifiedController(file), file, value, field })
    }),
  )
  refuseTwice(demands)
  const lines = demands.filter(({ file }) => isKeyed(file))
  const latest = new Set(latestOfEach(lines))
  return demands.filter((demand) => !isKeyed(demand.file) || latest.has(demand))
}

/** An empty list of CPUs follows the parent's; to any other file nothing at all would be written. */
function linesOf(file: string, text: string): readonly string[] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (lines.length > 1 && holdsOneValue(file)) {
    throw refuse(
      'ERR_VMCG_INVALID_ARGUMENT',
      `unified.${file}`,
      text,
      'has several lines, and the file holds one',
    )
  }
  if (lines.length > 0) return lines.map((line) => withName(file, line))
  if (isList(file)) return [EMPTY_LIST]
  throw refuse('ERR_VMCG_INVALID_ARGUMENT', `unified.${file}`, text, 'is empty')
}

/** A weight without a device is that of all others. */
function withName(file: string, line: string): string {
  const isWeight = file === 'io.weight' || file === 'io.bfq.weight'
  return isWeight && /^\d+$/.test(line) ? `default ${line}` : line
}

/** `cpu.weight` and `cpu.weight.nice` are one setting. */
function refuseTwice(demands: readonly Demand[]): void {
  const files = new Map<string, string>()
  for (const { file, value, field = file } of demands) {
    const place = placeOf({ file, value })
    const other = files.get(place) ?? file
    files.set(place, file)
    if (other === file) continue
    const why = `sets the same as unified.${other}`
    throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, value, why, 'leave one of them out')
  }
}
