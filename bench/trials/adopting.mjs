import { readFileSync } from 'node:fs'
import { Crew } from '../crew/crew.mjs'
import { byController, NO_V1, SANDBOX_CONTROLLERS, sandboxPlaces, waitQuietly } from '../scenes.mjs'

/** @import { Scene } from '../trial.mjs' */
/** @import { Stage } from '../stage.mjs' */

const VCPUS = 4

/**
 * VMs of 4 vCPUs that become sandboxes, after quiet.
 *
 * @param {Stage} stage
 * @param {number} vms
 * @returns {Promise<Scene | string>}
 */
export async function adoptionScene(stage, vms) {
  const hierarchies = stage.cgroups.v1(SANDBOX_CONTROLLERS)
  if (hierarchies === undefined) return NO_V1
  const places = sandboxPlaces(stage, hierarchies)
  const shape = { vms, vcpus: VCPUS, iothreads: 1, others: 1, hasMonitor: true }
  const crew = await Crew.start(stage, hierarchies, shape)
  const { words } = crew
  const { cpus, nodes } = places
  const controllers = SANDBOX_CONTROLLERS.join(',')
  return {
    drivers: {
      floor: { args: [...places.folders('floor'), cpus, nodes], words },
      'floor-careful': { args: [...places.carefulArgs(), cpus, nodes], words },
      vmcg: { args: places.vmcgArgs(), words },
      'node-fs': { args: [...places.folders('node-fs'), cpus, nodes], words },
      containerd: { args: [controllers, `/${places.path('containerd')}`, cpus, nodes], words },
      opencontainers: {
        args: [byController(SANDBOX_CONTROLLERS, places.folders('opencontainers')), cpus, nodes],
        words,
      },
    },
    measure: async (driver, name) => {
      places.folders(name)
      if (name === 'vmcg') await driver.ask('prepare')
      await waitQuietly(true)
      const value = Number(await driver.ask('run'))
      const leaves = hierarchies.map(
        ({ mountPoint }) => `${mountPoint}/${places.path(name)}/${vms - 1}/vcpu/tasks`,
      )
      for (const leaf of leaves) {
        const there = readFileSync(leaf, 'utf8').split('\n').length - 1
        if (there !== VCPUS) throw new Error(`${name}: ${there} of ${VCPUS} vCPUs are in ${leaf}`)
      }
      if (name === 'vmcg') await driver.ask('undo')
      crew.goHome()
      await places.clear(name)
      return value
    },
  }
}
