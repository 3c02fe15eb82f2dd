/**
 * @import { LineProcess } from './line-process.mjs'
 * @import { Stage } from './stage.mjs'
 */

/**
 * What is compared, in one size.
 *
 * @typedef {object} Case
 * @property {string} name such as `64 vCPUs, warm`
 * @property {number} size of the axis: threads, VMs, containers
 * @property {string} [series] the part of the name that is no size, for charts
 * @property {number} [repetitions] where fewer than usual are enough
 * @property {boolean} [isOnce] for what takes long and varies little: run once, without a run before that
 *
 * What is asked to run, one order at a time.
 * @typedef {Pick<LineProcess, 'ask'>} Driver
 *
 * What a run came to, and what else it tells, which {@link Trial.also} names.
 * @typedef {number | { value: number, also: number }} Measured
 *
 * What a case looks like on this host.
 * @typedef {object} Scene
 * @property {string} [cwd]
 * @property {Readonly<Partial<Record<string, DriverStart>>>} drivers those that can do this case, by name
 * @property {(driver: Driver, name: string) => Promise<Measured>} measure leaves the scene as it was
 * @property {(driver: Driver, name: string) => Promise<void>} [check] after the first run, which does not count:
 *   asks the kernel whether the driver does what it says
 *
 * @typedef {{ args: readonly string[], words: string }} DriverStart the command's arguments, and the first line
 *
 * @typedef {object} Trial
 * @property {string} name
 * @property {string} what is done, in one sentence
 * @property {string} unit of the values
 * @property {string} [also] what else its runs tell, with the unit
 * @property {string} axis what the sizes count
 * @property {readonly string[]} drivers all that it may have, in the order of the tables
 * @property {() => readonly Case[]} cases
 * @property {(stage: Stage, chosen: Case) => Promise<Scene | string>} scene or why there is none on this host
 *
 * @typedef {{ name: string, values: number[], also?: number[] }} DriverResult a value for each repetition
 * @typedef {Pick<Case, 'name' | 'size' | 'series'> & { results: DriverResult[] }} CaseResult
 * @typedef {Pick<Trial, 'name' | 'what' | 'unit' | 'axis' | 'also'> & { cases: CaseResult[] }} TrialResult
 */

export {}
