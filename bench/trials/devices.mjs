import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PARENT } from '../cgroups.mjs'
import { stateFolder } from '../scenes.mjs'

/** @import { Case, Scene, Trial } from '../trial.mjs' */
/** @import { Stage } from '../stage.mjs' */

/** @typedef {Case & { isFresh: boolean }} RuleSet size: rules */

/** @type {Trial} */
export const devices = {
  name: 'devices',
  what:
    'a device rule set of cgroup v1 is put in the place of one that differs in two rules, or onto a cgroup that may do ' +
    'everything; `vmcg` also allows what a hypervisor needs, and reads back what it wrote',
  unit: 'µs',
  axis: 'rules',
  drivers: ['floor', 'vmcg', 'node-fs', 'containerd', 'opencontainers'],
  cases: () =>
    [12, 100].flatMap((size) =>
      [true, false].map((isFresh) => {
        const series = isFresh ? 'attached' : 'replaced'
        return { name: `${size} rules, ${series}`, size, series, isFresh }
      }),
    ),
  scene: (stage, chosen) => devicesScene(stage, /** @type {RuleSet} */ (chosen)),
}

/** Majors that are free for local use. Source: kernel, Documentation/admin-guide/devices.txt. */
const LOCAL_MAJOR = 240

/** @param {number} minor */
const allow = (minor) => `+c ${LOCAL_MAJOR}:${minor} rwm`
/** @param {number} minor */
const deny = (minor) => `-c ${LOCAL_MAJOR}:${minor} rwm`

/**
 * @param {Stage} stage
 * @param {RuleSet} chosen
 * @returns {Promise<Scene | string>}
 */
async function devicesScene(stage, { size, isFresh }) {
  const hierarchy = stage.cgroups.v1(['devices'])?.[0]
  if (hierarchy === undefined) return 'there is no cgroup v1 with devices'
  const common = Array.from({ length: size - 2 }, (_, minor) => allow(minor))
  const [first, second] = [
    [size, size + 1],
    [size + 2, size + 3],
  ]
  const whole = [first, second].map((minors) => ['-a', ...common, ...minors.map(allow)].join(',')).join('|')
  const changes = [
    [...first.map(allow), ...second.map(deny)].join(','),
    [...second.map(allow), ...first.map(deny)].join(','),
  ].join('|')
  const path = `${PARENT}/vm`
  const folder = stage.cgroups.make(hierarchy, path)
  const ours = join(hierarchy.mountPoint, PARENT, 'vmcg', 'kata_vm')
  let set = 0
  return {
    drivers: {
      floor: { args: [folder], words: isFresh ? whole : changes },
      vmcg: { args: [`/${PARENT}/vmcg`, stateFolder(stage)], words: whole },
      'node-fs': { args: [folder], words: whole },
      containerd: { args: [`/${path}`], words: whole },
      opencontainers: { args: [`devices=${folder}`], words: whole },
    },
    measure: async (driver, name) => {
      // Whoever comes next finds the other set.
      if (isFresh) writeFileSync(join(name === 'vmcg' ? ours : folder, 'devices.allow'), 'a')
      else await driver.ask(String(set))
      set = 1 - set
      return Number(await driver.ask(String(set)))
    },
  }
}
