import { NO_V1, SANDBOX_CONTROLLERS, sandboxPlaces } from '../scenes.mjs'

/** @type {import('../trial.mjs').Trial} */
export const memory = {
  name: 'memory',
  what: 'heap and external memory that a sandbox takes of this process while it has nothing to do',
  also: 'descriptors per sandbox',
  unit: 'bytes per sandbox',
  axis: 'sandboxes',
  drivers: ['vmcg'],
  cases: () =>
    [10, 10_000].map((size) => ({ name: `${size.toLocaleString('en')} sandboxes`, size, isOnce: true })),
  scene: async (stage, { size }) => {
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
  },
}
