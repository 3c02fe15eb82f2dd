/** @import { DriverResult } from './trial.mjs' */

/** @param {readonly number[]} values at least one */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  return ((sorted[Math.ceil(half) - 1] ?? Number.NaN) + (sorted[Math.floor(half)] ?? Number.NaN)) / 2
}

/** @param {number} value */
function format(value) {
  return value >= 1_000 ? Math.round(value).toLocaleString('en') : value.toFixed(2)
}

/**
 * One driver's medians over another's.
 *
 * @param {readonly DriverResult[]} results
 * @param {string} name
 * @param {string} than
 * @returns {number | undefined} undefined where one of them is not there
 */
export function ratio(results, name, than) {
  const [above, below] = [name, than].map((one) => results.find((result) => result.name === one))
  return above === undefined || below === undefined ? undefined : median(above.values) / median(below.values)
}

/**
 * @param {readonly DriverResult[]} results
 * @param {{ unit: string, also?: string }} trial
 * @returns {readonly (readonly string[])[]} a row per driver, below a row of titles; the ratios are those of the medians
 */
export function tableOf(results, { unit, also }) {
  const bases = ['floor', 'vmcg'].filter((base) => results.some(({ name }) => name === base))
  const rows = results.map(({ name, values, also: more }) => [
    name,
    format(median(values)),
    `${format(Math.min(...values))} – ${format(Math.max(...values))}`,
    ...bases.map((base) => (ratio(results, name, base) ?? Number.NaN).toFixed(2)),
    ...(also === undefined ? [] : [more === undefined ? '' : format(median(more))]),
  ])
  const titles = ['driver', unit, 'min – max', ...bases.map((base) => `× ${base}`)]
  return [[...titles, ...(also === undefined ? [] : [also])], ...rows]
}

/**
 * @param {readonly DriverResult[]} results
 * @param {{ unit: string, also?: string }} trial
 * @returns {string} a line per driver
 */
export function formatTable(results, trial) {
  return formatRows(tableOf(results, trial))
}

/**
 * @param {readonly (readonly string[])[]} table
 * @returns {string} the first column to the left, the others to the right
 */
export function formatRows(table) {
  const width = (/** @type {number} */ column) => Math.max(...table.map((row) => row[column]?.length ?? 0))
  return table
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(width(i)) : cell.padStart(width(i))))
        .join('   ')
        .trimEnd(),
    )
    .join('\n')
}
