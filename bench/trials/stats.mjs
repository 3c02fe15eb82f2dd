import { join } from 'node:path'
import { byController, NO_V1, SANDBOX_CONTROLLERS, sandboxPlaces } from '../scenes.mjs'

/** @import { Case, Scene, Trial } from '../trial.mjs' */
/** @import { Stage } from '../stage.mjs' */

/** Drivers that can tell threads and roles apart, or need not know what they read. */
const BY_ROLE = ['floor', 'floor-careful', 'vmcg', 'node-fs']

/** @typedef {Case & { hasThreads: boolean }} Reading size: sandboxes */

/** @type {Trial} */
export const stats = {
  name: 'stats',
  what:
    'the figures of sandboxes, of the VM and of its vCPUs: CPU time, also by CPU and by mode, throttling and limits, which ' +
    'are those that the libraries tell; and how many threads run, which they do not',
  unit: 'µs per sandbox',
  axis: 'sandboxes',
  drivers: ['floor', 'floor-careful', 'vmcg', 'node-fs', 'containerd', 'opencontainers'],
  cases: () => [
    ...[1, 100, 1_000].map((size) => reading(size, false)),
    ...[1, 100, 1_000].map((size) => reading(size, true)),
  ],
  scene: (stage, chosen) => statsScene(stage, /** @type {Reading} */ (chosen)),
}

/**
 * @param {number} size
 * @param {boolean} hasThreads
 * @returns {Reading}
 */
function reading(size, hasThreads) {
  const name = `${size.toLocaleString('en')} ${size === 1 ? 'sandbox' : 'sandboxes'}`
  const series = hasThreads ? 'with threads' : 'the same figures'
  return { name: hasThreads ? `${name}, with threads` : name, size, series, hasThreads }
}

/** What is told, below a sandbox's folder, by the hierarchy's place in {@link SANDBOX_CONTROLLERS}. */
const FILES = [
  ['cpu.stat', 'vcpu/cpu.stat', 'vcpu/cpu.cfs_quota_us', 'vcpu/cpu.cfs_period_us'],
  ['cpuacct.usage', 'cpuacct.stat', 'cpuacct.usage_percpu', 'vcpu/cpuacct.usage'],
]
const THREADS = ['tasks', 'vcpu/tasks']

/**
 * The kernel makes a list of threads when the file is opened; what else is read from it later is old. `floor-careful`
 * opens a file anew whose path has this mark.
 *
 * @param {string} file
 */
const carefully = (file) => (file.endsWith('/tasks') ? `+${file}` : file)

/**
 * @param {Stage} stage
 * @param {Reading} chosen
 * @returns {Promise<Scene | string>}
 */
async function statsScene(stage, { size, hasThreads }) {
  const hierarchies = stage.cgroups.v1(SANDBOX_CONTROLLERS)
  if (hierarchies === undefined) return NO_V1
  const places = sandboxPlaces(stage, hierarchies)
  const ids = Array.from({ length: size }, (_, number) => String(number))
  const sandboxes = ids.map((id) => places.folders(`sandboxes/${id}`))
  for (const id of ids) places.folders(`sandboxes/${id}/vcpu`)
  const read = FILES.map((names, index) => (hasThreads && index === 0 ? [...names, ...THREADS] : names))
  const files = sandboxes.flatMap((folders) =>
    read.flatMap((names, index) => names.map((name) => join(folders[index] ?? '', name))),
  )
  const asked = ['cpu', 'cpuacct']
  const drivers = {
    floor: { args: [], words: files.join(' ') },
    'floor-careful': { args: [], words: files.map(carefully).join(' ') },
    vmcg: {
      args: [['roles', 'cpu', ...(hasThreads ? ['threads'] : [])].join(','), ...places.vmcgArgs()],
      words: ids.join(' '),
    },
    'node-fs': { args: [], words: files.join(' ') },
    containerd: {
      args: [asked.join(',')],
      words: ids.map((id) => `/${places.path('sandboxes')}/${id}`).join(' '),
    },
    opencontainers: {
      args: [],
      words: sandboxes.map((folders) => byController(asked, folders)).join(' '),
    },
  }
  const all = Object.entries(drivers)
  return {
    drivers: Object.fromEntries(hasThreads ? all.filter(([name]) => BY_ROLE.includes(name)) : all),
    measure: async (driver) => Number(await driver.ask('run')) / size,
  }
}
