import { readFileSync } from 'node:fs'
import { NO_V1, SANDBOX_CONTROLLERS, sandboxPlaces } from '../scenes.mjs'

/** @import { Case, Scene, Trial } from '../trial.mjs' */
/** @import { Stage } from '../stage.mjs' */

const MANY = 10_000
/** What a sandbox may keep open, and what Node has open anyway. */
const DESCRIPTORS = { sandbox: 4, node: 1_000 }

/** @type {Trial} */
export const memory = {
  name: 'memory',
  what:
    'heap and external memory that a sandbox takes of its process while it has nothing to do; as many of 10,000 as the ' +
    'limit of open files leaves',
  unit: 'bytes per sandbox',
  also: 'descriptors per sandbox',
  axis: 'sandboxes',
  drivers: ['vmcg'],
  cases,
  scene: (stage, { size }) => memoryScene(stage, size),
}

/** @returns {Case[]} */
function cases() {
  const most = Math.floor((openFilesLimit() - DESCRIPTORS.node) / DESCRIPTORS.sandbox)
  return [10, Math.min(MANY, most)].map((size) => ({
    name: `${size.toLocaleString('en')} sandboxes, idle`,
    size,
    series: 'idle',
    isOnce: true,
  }))
}

/** Node raises its own limit to the hard one, which is the second. Source: proc_pid_limits(5). */
function openFilesLimit() {
  const hard = /^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  return hard === undefined ? Number.POSITIVE_INFINITY : Number(hard)
}

/**
 * @param {Stage} stage
 * @param {number} size
 * @returns {Promise<Scene | string>}
 */
async function memoryScene(stage, size) {
  const hierarchies = stage.cgroups.v1(SANDBOX_CONTROLLERS)
  if (hierarchies === undefined) return NO_V1
  const places = sandboxPlaces(stage, hierarchies)
  return {
    drivers: { vmcg: { args: places.vmcgArgs(), words: String(size) } },
    measure: async (driver) => {
      const value = Number(await driver.ask('run')) / size
      return { value, also: Number(await driver.ask('also')) / size }
    },
  }
}
