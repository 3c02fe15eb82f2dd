import { goalOutcomes } from '../goals.mjs'
import { formatMachine } from '../machine-text.mjs'
import { profileSentences, profileTable } from '../profile/format.mjs'
import { median, ratio, tableOf } from '../table.mjs'

/**
 * @import { Run } from '../run-file.mjs'
 * @import { CaseResult, TrialResult } from '../trial.mjs'
 */

/** Where charts are, relative to the report. */
export const CHARTS_FOLDER = 'benchmarks'

/** @param {readonly (readonly string[])[]} rows the first is that of the titles */
function markdownTable([titles = [], ...rows]) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`
  return [
    line(titles),
    line(titles.map((_, index) => (index === 0 ? '---' : '--:'))),
    ...rows.map(line),
  ].join('\n')
}

/** @param {readonly string[]} cells without the bars of a table */
const escaped = (cells) => cells.map((cell) => cell.replaceAll('|', '\\|'))

/** What `{{name argument, argument}}` of the template becomes. */
class Filling {
  /** @param {Run} run */
  constructor(run) {
    this.run = run
  }

  date() {
    return this.run.date.slice(0, 10)
  }

  machine() {
    return formatMachine(this.run.machine).replaceAll('\n', '; ')
  }

  leftOut() {
    const { leftOut } = this.run
    return leftOut.length === 0 ? '' : `Left out in this run: ${leftOut.join('; ')}.`
  }

  /** Nobody should take ratios from a busy host for more than they are. */
  noise() {
    const { load, cpus } = this.run.machine
    return load < cpus / 2 ? '' : '**The host was busy: these figures are noisy, and the ratios with them.** '
  }

  goals() {
    const rows = goalOutcomes(this.run.trials).map(({ text, atMost, value, floor, outcome }) => [
      text,
      atMost,
      value,
      floor,
      outcome,
    ])
    return markdownTable([['goal', 'at most', 'measured', 'the same in C', 'outcome'], ...rows.map(escaped)])
  }

  /** @param {string} trial */
  chart(trial) {
    const { what } = this.#trial(trial)
    return `![${what}](${CHARTS_FOLDER}/${trial}.svg)`
  }

  /** @param {string} trial */
  what(trial) {
    const { what } = this.#trial(trial)
    return `${what.charAt(0).toUpperCase()}${what.slice(1)}.`
  }

  /** All cases of a trial, folded away. @param {string} name */
  tables(name) {
    const trial = this.#trial(name)
    const tables = trial.cases.map(
      (one) => `**${one.name}**\n\n${markdownTable(tableOf(one.results, trial))}`,
    )
    return `<details>\n<summary>All figures of ${name}</summary>\n\n${tables.join('\n\n')}\n\n</details>`
  }

  /** @param {string} trial @param {string} name @param {string} driver @param {string} than */
  ratio(trial, name, driver, than) {
    const value = ratio(this.#case(trial, name).results, driver, than)
    return value === undefined ? 'not measured' : `${value.toFixed(2)} ×`
  }

  /** @param {string} trial @param {string} name @param {string} driver */
  value(trial, name, driver) {
    const result = this.#case(trial, name).results.find((one) => one.name === driver)
    if (result === undefined) return 'not measured'
    const value = median(result.values)
    return `${value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1)} ${this.#trial(trial).unit}`
  }

  /** What the runs of a case are made of. @param {string} trial @param {string} name */
  profile(trial, name) {
    const profile = this.run.profiles?.find((one) => one.trial === trial && one.case === name)
    if (profile === undefined) throw new Error(`the run has no profile of "${name}" of ${trial}`)
    const sentences = profile.drivers.flatMap(profileSentences).map((sentence) => `- ${sentence}`)
    return `${markdownTable(profileTable(profile))}\n\n${sentences.join('\n')}`
  }

  /** @param {string} name @returns {TrialResult} */
  #trial(name) {
    const found = this.run.trials.find((trial) => trial.name === name)
    if (found === undefined) throw new Error(`the run has no trial ${name}: the report needs a whole run`)
    return found
  }

  /** @param {string} trial @param {string} name @returns {CaseResult} */
  #case(trial, name) {
    const found = this.#trial(trial).cases.find((one) => one.name === name)
    if (found === undefined) throw new Error(`the run has no case "${name}" of ${trial}`)
    return found
  }
}

/**
 * @param {string} template
 * @param {Run} run
 * @returns {string} the template with what the run says in the place of each `{{name}}` or `{{name: argument; argument}}`
 */
export function fill(template, run) {
  const filling = new Filling(run)
  /** @type {ReadonlyMap<string, (...args: string[]) => string>} */
  const words = new Map([
    ['date', () => filling.date()],
    ['machine', () => filling.machine()],
    ['left-out', () => filling.leftOut()],
    ['noise', () => filling.noise()],
    ['goals', () => filling.goals()],
    ['chart', (trial = '') => filling.chart(trial)],
    ['what', (trial = '') => filling.what(trial)],
    ['tables', (trial = '') => filling.tables(trial)],
    ['ratio', (trial = '', name = '', driver = '', than = '') => filling.ratio(trial, name, driver, than)],
    ['profile', (trial = '', name = '') => filling.profile(trial, name)],
    ['value', (trial = '', name = '', driver = '') => filling.value(trial, name, driver)],
  ])
  const text = template.replace(/\{\{([a-z-]+)(?:: ([^}]*))?\}\}/g, (whole, word, args) => {
    const said = words.get(word)
    if (said === undefined) throw new Error(`the template has ${whole}, which stands for nothing`)
    return said(...(args ?? '').split('; '))
  })
  return text.replace(/ +$/gm, '')
}
