import { PARENT } from '../cgroups.mjs'
import { buildStamp } from '../drivers.mjs'
import { Ending } from '../ending.mjs'
import { byController, stateFolder, waitQuietly } from '../scenes.mjs'

/** @import { Scene, Trial } from '../trial.mjs' */
/** @import { Stage } from '../stage.mjs' */

/** A sandbox is in no hierarchy of devices: its rules are a manager's. */
const CONTROLLERS = ['cpu', 'cpuacct', 'cpuset', 'memory', 'freezer', 'blkio', 'pids']

/** @type {Trial} */
export const launch = {
  name: 'launch',
  what:
    "a process starts in its cgroups of all hierarchies that a sandbox has a use for, after quiet, up to the child's first own instruction; in " +
    '`floor` the child enters by itself, in `floor-helper` as a program of its own before it becomes the one that is meant, as ' +
    'with vmcg; in `floor-outside` its parent writes the pid, as all others do',
  unit: 'µs',
  axis: 'hierarchies',
  drivers: ['floor', 'floor-helper', 'floor-outside', 'vmcg', 'node-fs', 'containerd', 'opencontainers'],
  cases: () => [{ name: `${CONTROLLERS.length} hierarchies`, size: CONTROLLERS.length }],
  scene,
}

/**
 * @param {Stage} stage
 * @returns {Promise<Scene | string>}
 */
async function scene(stage) {
  const hierarchies = stage.cgroups.v1(CONTROLLERS)
  if (hierarchies === undefined) return `there is no cgroup v1 with ${CONTROLLERS.join(', ')}`
  const stamp = buildStamp()
  if ('missing' in stamp) throw new Ending(`the child is a C program: ${stamp.missing}`)
  const { program } = stamp
  const path = `${PARENT}/vm`
  const folders = hierarchies.map((hierarchy) => stage.cgroups.make(hierarchy, path))
  const words = 'go'
  return {
    drivers: {
      floor: { args: ['inside', program, ...folders], words },
      'floor-helper': { args: ['helper', program, ...folders], words },
      'floor-outside': { args: ['outside', program, ...folders], words },
      vmcg: { args: [`/${PARENT}/vmcg`, stateFolder(stage), program], words },
      'node-fs': { args: [program, ...folders], words },
      containerd: { args: [CONTROLLERS.join(','), `/${path}`, program], words },
      opencontainers: { args: [byController(CONTROLLERS, folders), program], words },
    },
    measure: async (driver) => {
      await waitQuietly(true)
      return Number(await driver.ask('run'))
    },
  }
}
