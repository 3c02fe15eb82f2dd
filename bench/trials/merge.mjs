/** @type {import('../trial.mjs').Trial} */
export const merge = {
  name: 'merge',
  what: "the resources of a sandbox's containers become one",
  unit: 'µs per container',
  axis: 'containers',
  drivers: ['vmcg'],
  cases: () =>
    [1, 10, 100, 1_000].map((size) => ({
      name: `${size.toLocaleString('en')} ${size === 1 ? 'container' : 'containers'}`,
      size,
    })),
  scene: async (_, { size }) => ({
    drivers: { vmcg: { args: [], words: String(size) } },
    measure: async (driver) => Number(await driver.ask('run')) / size,
  }),
}
