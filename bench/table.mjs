/** @import { DriverResult } from './main.mjs' */

/** @param {readonly number[]} values at least one */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  return ((sorted[Math.ceil(half) - 1] ?? Number.NaN) + (sorted[Math.floor(half)] ?? Number.NaN)) / 2
}

/**
 * @param {readonly DriverResult[]} results
 * @param {string} unit
 * @returns {string} a line per driver; the ratio is that of the medians
 */
export function formatTable(results, unit) {
  const floor = results.find(({ name }) => name === 'floor')
  const rows = results.map(({ name, values }) => {
    const ratio = floor === undefined ? '–' : (median(values) / median(floor.values)).toFixed(2)
    const spread = `${Math.min(...values).toFixed(2)} – ${Math.max(...values).toFixed(2)}`
    return [name, median(values).toFixed(2), spread, ratio]
  })
  const table = [['driver', unit, 'min – max', '× floor'], ...rows]
  const width = (/** @type {number} */ column) => Math.max(...table.map((row) => row[column]?.length ?? 0))
  return table
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(width(i)) : cell.padStart(width(i)))).join('   '),
    )
    .join('\n')
}
