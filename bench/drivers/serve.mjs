import { createInterface } from 'node:readline'

/**
 * What a driver does: moves all the threads to the first (0) or the second (1) cgroup, and throws when one is not
 * moved.
 *
 * @typedef {(to: 0 | 1) => void | Promise<void>} Move
 */

/**
 * A driver's side of its pipe. Arguments: the two `tasks` files, relative to the working directory, which is the
 * hierarchy's mount point. Lines in: first the tids, answered by `ready`; then `0` or `1` for each move, answered by
 * the microseconds that it took. It ends with its stdin.
 *
 * @param {(files: readonly [string, string], tids: readonly number[]) => Move} prepare everything that is not measured
 */
export async function serve(prepare) {
  const [first = '', second = ''] = process.argv.slice(2)
  /** @type {Move | undefined} */
  let move
  for await (const line of createInterface({ input: process.stdin })) {
    if (move === undefined) {
      move = prepare([first, second], line.split(' ').map(Number))
      console.log('ready')
    } else {
      const start = performance.now()
      await move(line === '1' ? 1 : 0)
      console.log(((performance.now() - start) * 1000).toFixed(3))
    }
  }
}
