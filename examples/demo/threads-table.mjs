import { percent } from './output.mjs'

/** @import { SandboxThread } from 'vmcg' */
/** @typedef {ReadonlyMap<number, number>} CpuUsage tid → percent of one CPU */

const HEADER = ['tid', 'name', 'role', 'cgroup', 'CPU before', 'CPU after']
/** Columns of numbers, which are aligned to the right. */
const NUMBERS = new Set([0, 4, 5])

/**
 * @param {readonly SandboxThread[]} threads
 * @param {CpuUsage} before
 * @param {CpuUsage} after
 * @returns {string} one line for each thread, below a header
 */
export function threadsTable(threads, before, after) {
  const rows = threads.map((thread) => [
    String(thread.tid),
    thread.name,
    thread.role,
    cgroupOf(thread),
    usage(before, thread.tid),
    usage(after, thread.tid),
  ])
  return alignColumns([HEADER, ...rows])
}

/** @param {SandboxThread} thread */
export function cgroupOf(thread) {
  // The same path in every hierarchy that the sandbox uses, or something is wrong and both are shown.
  const paths = new Set(Object.values(thread.cgroups).map((path) => path ?? '(outside)'))
  return [...paths].join(' ')
}

/**
 * @param {CpuUsage} measured
 * @param {number} tid
 */
function usage(measured, tid) {
  const value = measured.get(tid)
  return value === undefined ? '–' : percent(value)
}

/** @param {readonly (readonly string[])[]} rows */
function alignColumns(rows) {
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const align = (/** @type {string} */ cell, /** @type {number} */ column) =>
    NUMBERS.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)
  return rows.map((row) => row.map(align).join('  ')).join('\n')
}
