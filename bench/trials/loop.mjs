import { adoptionScene } from './adopting.mjs'

/** @type {import('../trial.mjs').Trial} */
export const loop = {
  name: 'loop',
  what: 'the longest that the event loop is away while VMs are adopted, as in `adopt`',
  unit: 'µs',
  also: 'of that garbage collection, µs',
  axis: 'VMs',
  drivers: ['vmcg', 'node-fs'],
  cases: () =>
    [10, 500].map((size) => ({ name: `${size} VMs`, size, ...(size >= 100 && { repetitions: 7 }) })),
  scene: async (stage, { size }) => {
    const scene = await adoptionScene(stage, size)
    if (typeof scene === 'string') return scene
    return {
      ...scene,
      measure: async (driver, name) => {
        const value = Number(await scene.measure(driver, name))
        return { value, also: Number(await driver.ask('also')) }
      },
    }
  },
}
