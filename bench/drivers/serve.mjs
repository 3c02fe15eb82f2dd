import { createInterface } from 'node:readline'

/**
 * Carries out one order. What it returns is the answer, if it is a number; else that is how long it took, in
 * microseconds.
 *
 * @typedef {(word: string) => number | void | Promise<number | void>} Order
 *
 * @typedef {object} Orders
 * @property {Order} run what is measured; also called for words that are no other order's, such as `0` or `1`
 * @property {Order} [prepare] what has to be there before, not measured
 * @property {Order} [undo] so that it can run again, not measured
 * @property {Order} [also] what else the last run tells
 */

/**
 * A driver's side of its pipe. Its arguments and its first line are what the trial gives to it; the first line is
 * answered by `ready`. After that each line is an order, answered by a number. It ends with its stdin, or with an
 * exception where something was not done: a time for less than the whole would be a lie.
 *
 * @param {(args: readonly string[], words: readonly string[]) => Orders | Promise<Orders>} prepare everything that is
 *   not measured
 */
export async function serve(prepare) {
  /** @type {Orders | undefined} */
  let orders
  const { VMCG_BENCH_PROFILE: profile } = process.env
  const profiler = profile === undefined ? undefined : await (await import('./profiler.mjs')).Profiler.start()
  for await (const line of createInterface({ input: process.stdin })) {
    if (orders === undefined) {
      orders = await prepare(process.argv.slice(2), line.split(' '))
      console.log('ready')
      continue
    }
    const { run, ...others } = orders
    const order = new Map(Object.entries(others)).get(line) ?? run
    const isProfiled = profiler !== undefined && order === run
    const start = performance.now()
    const answer = await (isProfiled ? profiler.watch(() => order(line)) : order(line))
    console.log((answer ?? (performance.now() - start) * 1000).toFixed(3))
  }
  if (profile !== undefined) await profiler?.save(profile)
}
