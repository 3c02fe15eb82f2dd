import { median } from '../table.mjs'
import { colourScale, DRIVERS, LOOK, shapeScale } from './look.mjs'

/**
 * @import { TopLevelSpec } from 'vega-lite'
 * @import { CaseResult, TrialResult } from '../trial.mjs'
 */

/**
 * How a trial is drawn: lines over the size, or bars where there is no size to speak of. A trial without one is told by
 * its table.
 *
 * @typedef {object} Chart
 * @property {string} trial
 * @property {'lines' | 'bars'} kind
 * @property {string} title what the reader looks at
 * @property {number} [size] the only one that is drawn
 *
 * @typedef {{ size: number, series: string, driver: string, median: number, min: number, max: number }} Row
 */

/** @type {readonly Chart[]} */
const CHARTS = [
  { trial: 'migrate', kind: 'lines', title: 'Moving threads, per thread' },
  { trial: 'place', kind: 'lines', title: 'Placing a VM in three hierarchies' },
  { trial: 'adopt', kind: 'lines', title: 'Adopting VMs, per VM' },
  { trial: 'launch', kind: 'bars', title: 'Starting a process in seven hierarchies' },
  { trial: 'hotplug', kind: 'bars', title: 'One vCPU more, of a VM that has 64', size: 64 },
  {
    trial: 'loop',
    kind: 'bars',
    title: 'The longest stall of the event loop while 500 VMs are adopted',
    size: 500,
  },
  { trial: 'stats', kind: 'lines', title: "Sandboxes' figures, per sandbox" },
  { trial: 'enumerate', kind: 'lines', title: 'Threads with name and start time, per thread' },
  { trial: 'devices', kind: 'bars', title: 'A rule set of 12 devices', size: 12 },
]

/**
 * @param {TrialResult} trial
 * @returns {TopLevelSpec | undefined} undefined for a trial that has no chart, or nothing to draw
 */
export function chartOf(trial) {
  const chart = CHARTS.find((one) => one.trial === trial.name)
  if (chart === undefined) return undefined
  const cases = trial.cases.filter(({ size }) => chart.size === undefined || size === chart.size)
  if (cases.length === 0) return undefined
  return chart.kind === 'lines' ? lines(chart, trial, cases) : bars(chart, trial, cases)
}

/** @param {readonly CaseResult[]} cases @returns {Row[]} */
function rowsOf(cases) {
  return cases.flatMap(({ size, series = '', results }) =>
    results.map(({ name, values }) => ({
      size,
      series,
      driver: name,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
    })),
  )
}

/** @param {readonly Row[]} rows @returns {string[]} in the same order in every chart */
function driversIn(rows) {
  return DRIVERS.filter((name) => rows.some(({ driver }) => driver === name))
}

/** @param {readonly Row[]} rows */
function seriesIn(rows) {
  return [...new Set(rows.map(({ series }) => series))]
}

/**
 * 1, 2, 5, 10 and so on, as far as the values go: a line for each digit hides what is drawn over them.
 *
 * @param {readonly number[]} values
 */
function logTicks(values) {
  const first = Math.floor(Math.log10(Math.min(...values)))
  const last = Math.ceil(Math.log10(Math.max(...values)))
  const powers = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  return powers.flatMap((power) => [1, 2, 5].map((digit) => Number(`${digit}e${power}`)))
}

/**
 * Both axes are logarithmic: what is twice as slow is as far away everywhere.
 *
 * @param {Chart} chart
 * @param {TrialResult} trial
 * @param {readonly CaseResult[]} cases
 * @returns {TopLevelSpec}
 */
function lines({ title }, { axis, unit }, cases) {
  const all = rowsOf(cases)
  // A series of one size is a point, which is better told in the table.
  const rows = all.filter((row) => all.some(({ series, size }) => series === row.series && size !== row.size))
  const [drivers, series] = [driversIn(rows), seriesIn(rows)]
  const isSplit = series.length > 1
  const sizes = [...new Set(rows.map(({ size }) => size))].sort((a, b) => a - b)
  return {
    ...LOOK,
    title: { text: title, anchor: 'start', fontSize: 15, offset: 14 },
    data: { values: rows },
    width: isSplit ? 330 : 560,
    height: 280,
    mark: { type: 'line', point: { filled: true, size: 55 }, strokeWidth: 2 },
    encoding: {
      ...(isSplit && { facet: { field: 'series', columns: 2, spacing: 28, title: null, sort: series } }),
      x: {
        field: 'size',
        type: 'quantitative',
        scale: { type: 'log', nice: false },
        axis: { title: axis, grid: false, format: ',', values: sizes, labelOverlap: true },
      },
      y: {
        field: 'median',
        type: 'quantitative',
        scale: { type: 'log' },
        axis: { title: `${unit}, median`, format: ',', values: logTicks(rows.map((row) => row.median)) },
      },
      color: { field: 'driver', type: 'nominal', scale: colourScale(drivers) },
      shape: { field: 'driver', type: 'nominal', scale: shapeScale(drivers) },
    },
  }
}

/**
 * Bars for the medians with their values, and a line from the smallest to the largest value.
 *
 * @param {Chart} chart
 * @param {TrialResult} trial
 * @param {readonly CaseResult[]} cases
 * @returns {TopLevelSpec}
 */
function bars({ title }, { unit }, cases) {
  const rows = rowsOf(cases)
  const [drivers, series] = [driversIn(rows), seriesIn(rows)]
  const isSplit = series.length > 1
  const axis = { title: unit, format: ',d', tickCount: isSplit ? 4 : 6 }
  return {
    ...LOOK,
    title: { text: title, anchor: 'start', fontSize: 15, offset: 14 },
    data: { values: rows },
    facet: { field: 'series', title: null, sort: series, header: isSplit ? {} : { labels: false } },
    columns: 2,
    spacing: 28,
    spec: {
      width: isSplit ? 290 : 560,
      height: { step: 34 },
      encoding: {
        y: { field: 'driver', type: 'nominal', sort: drivers, axis: { title: null, ticks: false } },
      },
      layer: [
        {
          mark: { type: 'bar', height: 14 },
          encoding: {
            x: { field: 'median', type: 'quantitative', axis },
            color: { field: 'driver', type: 'nominal', scale: colourScale(drivers), legend: null },
          },
        },
        {
          mark: { type: 'rule', color: '#555555' },
          encoding: { x: { field: 'min', type: 'quantitative' }, x2: { field: 'max' } },
        },
        {
          mark: { type: 'text', align: 'left', dx: 3, dy: -12, fontSize: 10, color: '#333333' },
          encoding: {
            x: { field: 'median', type: 'quantitative' },
            text: { field: 'median', type: 'quantitative', format: ',.0f' },
          },
        },
      ],
    },
  }
}
