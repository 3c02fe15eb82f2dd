import { ROOT } from '../folders.mjs'

/** @type {import('../trial.mjs').Trial} */
export const start = {
  name: 'start',
  what: 'a script of one line that imports vmcg, from its start to its end, beside one that does nothing',
  unit: 'µs',
  axis: 'scripts',
  drivers: ['bare-node', 'vmcg'],
  cases: () => [{ name: 'one line', size: 1 }],
  scene: async () => ({
    cwd: ROOT,
    drivers: { 'bare-node': { args: [], words: 'go' }, vmcg: { args: [], words: 'go' } },
    measure: async (driver) => Number(await driver.ask('run')),
  }),
}
