/**
 * @import { CpuProfile, SavedProfile } from '../drivers/profiler.mjs'
 */

/** @typedef {readonly (readonly [part: string, share: number])[]} Parts of 1, the largest first */

/** @type {ReadonlyMap<string, string>} */
const BY_NAME = new Map([
  ['(idle)', 'waiting'],
  ['(garbage collector)', 'garbage collection'],
  ['(program)', 'V8 itself'],
])

/**
 * What the main thread did in its runs, by the part of the program that was at work.
 *
 * @param {SavedProfile} saved
 * @param {number} skipped so many runs at the beginning are left out
 * @returns {Parts}
 */
export function partsOf({ profile, runs }, skipped) {
  const partOf = new Map(profile.nodes.map(({ id, callFrame }) => [id, partOfFrame(callFrame)]))
  /** @type {Map<string, number>} */
  const times = new Map()
  const spans = runs.slice(skipped)
  let at = profile.startTime
  let next = 0
  const { samples = [], timeDeltas = [] } = profile
  for (const [index, node] of samples.entries()) {
    const length = timeDeltas[index] ?? 0
    at += length
    while (next < spans.length && at > (spans[next]?.[1] ?? 0)) next += 1
    const span = spans[next]
    if (span === undefined || at < span[0]) continue
    const part = partOf.get(node) ?? 'V8 itself'
    times.set(part, (times.get(part) ?? 0) + length)
  }
  const whole = [...times.values()].reduce((sum, time) => sum + time, 0)
  return [...times]
    .map(([part, time]) => /** @type {const} */ ([part, time / whole]))
    .sort(([, a], [, b]) => b - a)
}

/** @param {CpuProfile['nodes'][number]['callFrame']} frame */
function partOfFrame({ functionName, url }) {
  const ours = /\/dist\/(\w+)\//.exec(url)?.[1]
  if (ours !== undefined) return `src/${ours}`
  if (/\/dist\/[\w-]+\.js$/.test(url)) return 'src'
  const named = BY_NAME.get(functionName)
  if (named !== undefined) return named
  return url.includes('/bench/') ? 'the bench' : 'Node'
}
