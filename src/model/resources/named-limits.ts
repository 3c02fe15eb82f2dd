import { hasNamedLimits, lineFor, lineKey } from './keyed-lines'
import type { KnobWrite } from './knob'

/** The limits of a line by their names: `hca_handle=2 hca_object=max`. */
export function namedLimits(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .split(' ')
      .filter((limit) => limit !== '')
      .map((limit) => {
        const [name = '', value = ''] = limit.split('=')
        return [name, value]
      }),
  )
}

/** The largest number of those that have fewer than 64 bits; the kernel shows it as no limit. */
const LARGEST: ReadonlyMap<string, bigint> = new Map([
  ['riops', 2n ** 32n - 1n],
  ['wiops', 2n ** 32n - 1n],
  ['hca_handle', 2n ** 31n - 1n],
  ['hca_object', 2n ** 31n - 1n],
])

/** As the kernel writes a limit: without leading zeros, and `max` for the largest number there is. */
function canonicalLimit(name: string, value: string): string {
  if (!/^\d+$/.test(value)) return value
  const number = BigInt(value)
  return number >= (LARGEST.get(name) ?? 2n ** 64n - 1n) ? 'max' : String(number)
}

/** A write that names several limits as one for each of them. Other writes stay as they are. */
export function splitLimits<T extends Pick<KnobWrite, 'file' | 'value'>>(write: T): readonly T[] {
  if (!hasNamedLimits(write.file)) return [write]
  const key = lineKey(write.value)
  const limits = [...namedLimits(write.value.slice(key.length + 1))]
  return limits.map(([name, value]) => ({ ...write, value: `${key} ${name}=${value}` }))
}

/** Writes to the same line that follow each other, as one. */
export function joinLimits(writes: readonly KnobWrite[]): readonly KnobWrite[] {
  const joined: KnobWrite[] = []
  for (const write of writes) {
    const last = joined.at(-1)
    const key = lineKey(write.value)
    const isSameLine = last?.file === write.file && lineKey(last.value) === key
    if (last !== undefined && isSameLine && hasNamedLimits(write.file)) {
      joined[joined.length - 1] = { ...last, value: `${last.value} ${write.value.slice(key.length + 1)}` }
    } else {
      joined.push(write)
    }
  }
  return joined
}

/** A line after a write that names some of its limits. */
export function mergeLimits(line: string, changed: string): ReadonlyMap<string, string> {
  const changes = [...namedLimits(changed)].map(
    ([name, value]) => [name, canonicalLimit(name, value)] as const,
  )
  return new Map([...namedLimits(line), ...changes])
}

/**
 * Whether a knob says each of the limits that a line names. A device without a line, and a name without a limit, has
 * none.
 */
export function areLimitsKept(wanted: string, kept: string): boolean {
  const key = lineKey(wanted)
  const limits = namedLimits(lineFor(kept, key) ?? '')
  return [...namedLimits(wanted.slice(key.length + 1))].every(
    ([name, value]) => canonicalLimit(name, value) === (limits.get(name) ?? 'max'),
  )
}
