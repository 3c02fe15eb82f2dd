import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { progress } from './output.mjs'

const MEASURE_MS = 3_000
/** USER_HZ, in which /proc tells times: 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100

/**
 * How much of a CPU each thread of a process uses, over three seconds.
 *
 * @param {number} pid
 * @param {AbortSignal} signal
 * @returns {Promise<Map<number, number>>} tid → percent of one CPU
 */
export async function measureCpu(pid, signal) {
  progress(`measuring the CPU time of every thread for ${MEASURE_MS / 1000} s`)
  // The clock around both looks: a look that is held up then makes the figures too small, never a false alarm.
  const start = performance.now()
  const before = cpuTicks(pid)
  await sleep(MEASURE_MS, undefined, { signal })
  const after = cpuTicks(pid)
  const seconds = (performance.now() - start) / 1000
  return new Map(
    [...after].map(([tid, ticks]) => {
      const used = ticks - (before.get(tid) ?? 0)
      return [tid, (100 * used) / TICKS_PER_SECOND / seconds]
    }),
  )
}

/**
 * @param {number} pid
 * @returns {Map<number, number>} tid → user and system time in ticks
 */
function cpuTicks(pid) {
  const ticks = new Map()
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const stat = readStat(`/proc/${pid}/task/${tid}/stat`)
    if (stat === undefined) continue
    // proc_pid_stat(5): utime and stime are fields 14 and 15. The name, field 2, may hold blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks.set(Number(tid), Number(fields[11]) + Number(fields[12]))
  }
  return ticks
}

/**
 * @param {string} path
 * @returns {string | undefined} undefined for a thread that has ended since it was listed
 */
function readStat(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
