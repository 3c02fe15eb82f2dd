import { join } from 'node:path'
import { Crew, tellVm } from '../crew/crew.mjs'
import { byController, NO_V1, SANDBOX_CONTROLLERS, sandboxPlaces, waitQuietly } from '../scenes.mjs'

/** @import { Case, Scene, Trial } from '../trial.mjs' */
/** @import { Stage } from '../stage.mjs' */

/** @typedef {Case & { isQuiet: boolean }} Plugging size: vCPUs before */

/** @type {Trial} */
export const hotplug = {
  name: 'hotplug',
  what: 'one vCPU more: the VM is asked for its vCPUs, and the new one goes to its leaf in three hierarchies',
  unit: 'µs',
  axis: 'vCPUs',
  drivers: ['floor', 'vmcg', 'node-fs', 'containerd', 'opencontainers'],
  cases: () =>
    [4, 64].flatMap((size) =>
      [false, true].map((isQuiet) => {
        const series = isQuiet ? 'after quiet' : 'warm'
        return { name: `${size} vCPUs, ${series}`, size, series, isQuiet }
      }),
    ),
  scene: (stage, chosen) => pluggingScene(stage, /** @type {Plugging} */ (chosen)),
}

/**
 * @param {Stage} stage
 * @param {Plugging} chosen
 * @returns {Promise<Scene | string>}
 */
async function pluggingScene(stage, { size, isQuiet }) {
  const hierarchies = stage.cgroups.v1(SANDBOX_CONTROLLERS)
  if (hierarchies === undefined) return NO_V1
  const places = sandboxPlaces(stage, hierarchies)
  const shape = { vcpus: size, iothreads: 1, others: 1, hasMonitor: true }
  // Two VMs of a kind: vmcg's stays in its sandbox, the others' has only the new thread to go anywhere.
  const [ours, others] = [
    await Crew.start(stage, hierarchies, shape),
    await Crew.start(stage, hierarchies, shape),
  ]
  const folders = places.folders('vm')
  const leaves = places.folders('vm/vcpu').map((folder) => join(folder, 'tasks'))
  const { words } = others
  return {
    drivers: {
      floor: { args: leaves, words },
      vmcg: { args: places.vmcgArgs(), words: ours.words },
      'node-fs': { args: leaves, words },
      containerd: { args: [SANDBOX_CONTROLLERS.join(','), `/${places.path('vm')}`], words },
      opencontainers: { args: [byController(SANDBOX_CONTROLLERS, folders)], words },
    },
    measure: async (driver, name) => {
      const [vm] = (name === 'vmcg' ? ours : others).vms
      if (vm === undefined) throw new Error('a crew without a VM')
      await tellVm(vm, 'device_add')
      try {
        if (!isQuiet) others.goHome()
        await waitQuietly(isQuiet)
        return Number(await driver.ask('run'))
      } finally {
        await tellVm(vm, 'device_del')
      }
    },
  }
}
