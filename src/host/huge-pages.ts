import { readdirSync } from 'node:fs'

const UNITS = [
  ['GB', 2 ** 20],
  ['MB', 2 ** 10],
] as const

/**
 * The sizes of huge pages that this kernel has, as it names them in the files of a cgroup: `['2MB', '1GB']`, from the
 * smallest up; none where it has none. One small directory, read synchronously: it is the host's and never blocks.
 *
 * Source: kernel, Documentation/admin-guide/mm/hugetlbpage.rst (/sys/kernel/mm/hugepages); mm/hugetlb_cgroup.c,
 * mem_fmt.
 */
export function hugePageSizes(directory = '/sys/kernel/mm/hugepages'): readonly string[] {
  return namesIn(directory)
    .flatMap((name) => /^hugepages-(\d+)kB$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
    .map(kernelName)
}

function kernelName(kilobytes: number): string {
  const [unit, size] = UNITS.find(([, kilobytesOf]) => kilobytes >= kilobytesOf) ?? ['KB', 1]
  return `${kilobytes / size}${unit}`
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'ENOENT') return []
    throw error
  }
}
