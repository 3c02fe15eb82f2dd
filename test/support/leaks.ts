import { readdirSync, readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What this process holds on to. */
export interface Holdings {
  readonly descriptors: number
  readonly threads: number
  readonly children: number
  /** Heap and external memory after a collection, and what the process has in RAM; in bytes. */
  readonly jsBytes: number
  readonly residentBytes: number
}

export function holdings(): Holdings {
  collectGarbage()
  const { heapUsed, external, rss } = process.memoryUsage()
  const threads = readdirSync('/proc/self/task')
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    threads: threads.length,
    children: threads.flatMap((tid) => childrenOf(tid)).length,
    jsBytes: heapUsed + external,
    residentBytes: rss,
  }
}

function childrenOf(tid: string): string[] {
  return readFileSync(`/proc/self/task/${tid}/children`, 'utf8').split(' ').filter(Boolean)
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}
