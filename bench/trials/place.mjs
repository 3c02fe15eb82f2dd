import { readFileSync } from 'node:fs'
import { Crew } from '../crew/crew.mjs'
import { byController, NO_V1, SANDBOX_CONTROLLERS, sandboxPlaces, waitQuietly } from '../scenes.mjs'

/** @import { Case, Scene, Trial } from '../trial.mjs' */
/** @import { Stage } from '../stage.mjs' */

/** @typedef {Case & { isQuiet: boolean }} Placement size: vCPUs */

/** Those with a sandbox of their own. */
const WITH_A_PARENT = ['floor-careful', 'vmcg']

/** @type {Trial} */
export const place = {
  name: 'place',
  what:
    'a VM whose cgroups are there is put into them, in three hierarchies: the process at once, and each vCPU into its ' +
    'leaf; `vmcg-engine` is the writes alone, `vmcg` also finds out what is astray and looks again at the end, as ' +
    '`floor-careful` does',
  unit: 'µs',
  axis: 'vCPUs',
  drivers: ['floor', 'floor-careful', 'vmcg-engine', 'vmcg', 'node-fs', 'containerd', 'opencontainers'],
  cases: () =>
    [false, true].flatMap((isQuiet) =>
      [4, 16, 64, 256].map((size) => {
        const series = isQuiet ? 'after quiet' : 'warm'
        return { name: `${size} vCPUs, ${series}`, size, series, isQuiet }
      }),
    ),
  scene: (stage, chosen) => placementScene(stage, /** @type {Placement} */ (chosen)),
}

/**
 * @param {Stage} stage
 * @param {Placement} chosen
 * @returns {Promise<Scene | string>}
 */
async function placementScene(stage, { size, isQuiet }) {
  const hierarchies = stage.cgroups.v1(SANDBOX_CONTROLLERS)
  if (hierarchies === undefined) return NO_V1
  const places = sandboxPlaces(stage, hierarchies)
  const crew = await Crew.start(stage, hierarchies, { vcpus: size, iothreads: 1, others: 2 })
  const words = crew.vms.flatMap(({ pid, tids }) => [pid, ...tids]).join(' ')
  const path = `${places.path('vm')}`
  const folders = places.folders('vm')
  places.folders('vm/vcpu')
  places.folders('floor-careful/vm/vcpu')
  const controllers = SANDBOX_CONTROLLERS.join(',')
  return {
    drivers: {
      floor: { args: folders, words },
      'floor-careful': { args: places.carefulArgs(), words },
      'vmcg-engine': { args: folders, words },
      vmcg: { args: places.vmcgArgs(), words },
      'node-fs': { args: folders, words },
      containerd: { args: [controllers, `/${path}`], words },
      opencontainers: { args: [byController(SANDBOX_CONTROLLERS, folders)], words },
    },
    measure: async (driver) => {
      crew.goHome()
      await waitQuietly(isQuiet)
      return Number(await driver.ask('run'))
    },
    check: async (_, name) => {
      const leaf = WITH_A_PARENT.includes(name) ? `${places.path(name)}/vm` : path
      for (const { mountPoint } of hierarchies) {
        const there = readFileSync(`${mountPoint}/${leaf}/vcpu/tasks`, 'utf8').split('\n').length - 1
        if (there !== size) throw new Error(`${name}: ${there} of ${size} vCPUs are in their leaf`)
      }
    },
  }
}
