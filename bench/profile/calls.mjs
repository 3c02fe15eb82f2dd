import { isRun } from './orders.mjs'

/** @typedef {readonly (readonly [name: string, count: number])[]} Calls the most frequent first */

/** What `strace` is called with: the beginning of each text is enough to tell the orders of a driver. */
export const STRACE = ['strace', '-f', '-qq', '-s', '16', '-o']

const LINE = /^(?<pid>\d+) +(?<call>.*)$/
const RESUMED = /^<\.\.\. \w+ resumed>(?<rest>.*)$/
const UNFINISHED = / <unfinished \.\.\.>$/

/**
 * The system calls of the runs that a driver was told to make, of all its threads.
 *
 * @param {string} log as `strace -f` writes it
 * @returns {Calls[]} one for each run
 */
export function callsOfRuns(log) {
  /** @type {Map<string, number>[]} */
  const runs = []
  /** @type {Map<string, string>} */
  const unfinished = new Map()
  /** @type {string | undefined} */
  let main
  let isRunning = false
  for (const line of log.split('\n')) {
    const { pid = '', call = '' } = LINE.exec(line)?.groups ?? {}
    const rest = RESUMED.exec(call)?.groups?.['rest']
    const whole = rest === undefined ? call : `${unfinished.get(pid) ?? ''}${rest}`
    if (UNFINISHED.test(call)) unfinished.set(pid, call.replace(UNFINISHED, ''))
    const name = /^(\w+)\(/.exec(call)?.[1]
    if (main === undefined) {
      if (whole.startsWith('write(1, "ready')) main = pid
    } else if (pid === main && isOrder(whole)) {
      runs.push(new Map())
      isRunning = true
    } else if (pid === main && whole.startsWith('write(1, ')) {
      isRunning = false
    } else if (isRunning && name !== undefined) {
      const run = runs.at(-1)
      run?.set(name, (run.get(name) ?? 0) + 1)
    }
  }
  return runs.map((run) => [...run].sort(([, a], [, b]) => b - a))
}

/** @param {string} call */
function isOrder(call) {
  const word = /^read\(0, "(\w+)\\n"/.exec(call)?.[1]
  return word !== undefined && isRun(word)
}
