import { join } from 'node:path'
import { byController, NO_V1, SANDBOX_CONTROLLERS, sandboxPlaces } from '../scenes.mjs'

/** @import { Scene, Trial } from '../trial.mjs' */
/** @import { Stage } from '../stage.mjs' */

/** @type {Trial} */
export const stats = {
  name: 'stats',
  what: 'the figures of sandboxes: CPU time, throttling, limits and threads, of the VM and of its vCPUs',
  unit: 'µs per sandbox',
  axis: 'sandboxes',
  drivers: ['floor', 'floor-careful', 'vmcg', 'node-fs', 'containerd', 'opencontainers'],
  cases: () =>
    [1, 100, 1_000].map((size) => ({
      name: `${size.toLocaleString('en')} ${size === 1 ? 'sandbox' : 'sandboxes'}`,
      size,
    })),
  scene: (stage, { size }) => statsScene(stage, size),
}

/** What `Sandbox.stats` tells of, below a sandbox's folder, by the hierarchy's place in {@link SANDBOX_CONTROLLERS}. */
const FILES = [
  ['cpu.stat', 'tasks', 'vcpu/cpu.stat', 'vcpu/tasks', 'vcpu/cpu.cfs_quota_us', 'vcpu/cpu.cfs_period_us'],
  ['cpuacct.usage', 'vcpu/cpuacct.usage'],
]

/**
 * The kernel makes a list of threads when the file is opened; what else is read from it later is old. `floor-careful`
 * opens a file anew whose path has this mark.
 *
 * @param {string} file
 */
const carefully = (file) => (file.endsWith('/tasks') ? `+${file}` : file)

/** Told as well: CPU time by mode, and by CPU. */
const MORE_FILES = ['cpuacct.stat', 'cpuacct.usage_percpu']

/**
 * @param {Stage} stage
 * @param {number} count
 * @returns {Promise<Scene | string>}
 */
async function statsScene(stage, count) {
  const hierarchies = stage.cgroups.v1(SANDBOX_CONTROLLERS)
  if (hierarchies === undefined) return NO_V1
  const places = sandboxPlaces(stage, hierarchies)
  const ids = Array.from({ length: count }, (_, number) => String(number))
  const sandboxes = ids.map((id) => places.folders(`sandboxes/${id}`))
  for (const id of ids) places.folders(`sandboxes/${id}/vcpu`)
  const files = sandboxes.flatMap((folders) =>
    FILES.flatMap((names, index) => names.map((name) => join(folders[index] ?? '', name))),
  )
  const more = sandboxes.flatMap((folders) => MORE_FILES.map((name) => join(folders[1] ?? '', name)))
  // The libraries' own choice for these two: CPU time also by CPU and by mode.
  const asked = ['cpu', 'cpuacct']
  return {
    drivers: {
      floor: { args: [], words: files.join(' ') },
      'floor-careful': { args: [], words: [...files.map(carefully), ...more].join(' ') },
      vmcg: { args: places.vmcgArgs(), words: ids.join(' ') },
      'node-fs': { args: [], words: files.join(' ') },
      containerd: {
        args: [asked.join(',')],
        words: ids.map((id) => `/${places.path('sandboxes')}/${id}`).join(' '),
      },
      opencontainers: {
        args: [],
        words: sandboxes.map((folders) => byController(asked, folders)).join(' '),
      },
    },
    measure: async (driver) => Number(await driver.ask('run')) / count,
  }
}
