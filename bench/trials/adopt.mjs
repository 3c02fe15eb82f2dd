import { adoptionScene } from './adopting.mjs'

/** @import { Scene, Trial } from '../trial.mjs' */

/** Those that tell it. */
const WITH_SLOWEST = ['floor', 'floor-careful', 'vmcg']

/** @type {Trial} */
export const adopt = {
  name: 'adopt',
  what:
    'VMs of 4 vCPUs that run already become sandboxes, after quiet: each is asked for its vCPUs, its cgroups are made in ' +
    'three hierarchies, limits are set, threads placed; `floor-careful` also does all that `vmcg` does for its promises',
  unit: 'µs per VM',
  // There is one grace period in all where it is the only one that takes milliseconds.
  also: 'slowest move, µs',
  axis: 'VMs',
  drivers: ['floor', 'floor-careful', 'vmcg', 'node-fs', 'containerd', 'opencontainers'],
  cases: () =>
    [1, 10, 100, 500].map((size) => ({
      name: `${size} ${size === 1 ? 'VM' : 'VMs'}`,
      size,
      ...(size >= 100 && { repetitions: 7 }),
    })),
  scene: async (stage, { size }) => {
    const scene = await adoptionScene(stage, size)
    return typeof scene === 'string' ? scene : perVm(scene, size)
  },
}

/**
 * @param {Scene} scene
 * @param {number} vms
 * @returns {Scene}
 */
function perVm(scene, vms) {
  return {
    ...scene,
    measure: async (driver, name) => {
      const value = Number(await scene.measure(driver, name)) / vms
      return WITH_SLOWEST.includes(name) ? { value, also: Number(await driver.ask('also')) } : value
    },
  }
}
