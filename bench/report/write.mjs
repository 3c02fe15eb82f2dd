import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatRun } from '../run-file.mjs'
import { chartOf } from './charts.mjs'
import { draw } from './draw.mjs'
import { CHARTS_FOLDER, fill } from './fill.mjs'

/** @import { Run } from '../run-file.mjs' */

/**
 * Writes `benchmarks.md`, its charts and the run that they were made of.
 *
 * @param {Run} run a whole one
 * @param {string} folder
 * @returns {Promise<string>} the report's path
 */
export async function writeReport(run, folder) {
  const charts = join(folder, CHARTS_FOLDER)
  const text = fill(readFileSync(join(import.meta.dirname, 'template.md'), 'utf8'), run)
  rmSync(charts, { recursive: true, force: true })
  mkdirSync(charts, { recursive: true })
  for (const trial of run.trials) {
    const spec = chartOf(trial)
    if (spec !== undefined) writeFileSync(join(charts, `${trial.name}.svg`), await draw(spec))
  }
  writeFileSync(join(charts, 'run.json'), formatRun(run))
  const report = join(folder, 'benchmarks.md')
  writeFileSync(report, text)
  return report
}
