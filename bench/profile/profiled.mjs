import { TRIALS } from '../trials/all.mjs'

/** @import { Case, Trial } from '../trial.mjs' */

/** The cases with goals that vmcg is furthest from, with the floors beside it. */
const PROFILED = [
  { trial: 'migrate', case: '1,000 threads, v1', drivers: ['floor', 'vmcg'] },
  { trial: 'place', case: '4 vCPUs, warm', drivers: ['floor', 'floor-careful', 'vmcg-engine', 'vmcg'] },
  { trial: 'place', case: '64 vCPUs, warm', drivers: ['floor', 'floor-careful', 'vmcg-engine', 'vmcg'] },
  { trial: 'adopt', case: '100 VMs', drivers: ['floor', 'floor-careful', 'vmcg'] },
  { trial: 'launch', case: '7 hierarchies', drivers: ['floor', 'floor-helper', 'vmcg'] },
  { trial: 'stats', case: '1,000 sandboxes', drivers: ['floor', 'vmcg'] },
]

/**
 * What is looked into.
 *
 * @param {(trial: string, driver: string) => boolean} fits
 * @param {number} upTo larger sizes are left out
 * @returns {{ trial: Trial, chosen: Case, drivers: readonly string[] }[]}
 */
export function profiledCases(fits, upTo) {
  return PROFILED.flatMap(({ trial: name, case: caseName, drivers: all }) => {
    const drivers = all.filter((driver) => fits(name, driver))
    const trial = TRIALS.find((one) => one.name === name)
    const chosen = trial?.cases().find((one) => one.name === caseName && one.size <= upTo)
    return trial === undefined || chosen === undefined || drivers.length === 0
      ? []
      : [{ trial, chosen, drivers }]
  })
}
