import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PARENT } from '../cgroups.mjs'
import { Crew } from '../crew/crew.mjs'

/** @import { Case, Scene, Trial } from '../trial.mjs' */
/** @import { Stage } from '../stage.mjs' */

/**
 * @typedef {Case & { version: 1 | 2, processes: number }} Migration size: threads in all
 */

const SIZES = [16, 256, 1_000, 4_000, 16_000, 30_000]
/** A thread takes several times as long there, and the whole trial is to be over in a minute. */
const SIZES_V2 = [16, 1_000, 16_000]
/** For everything else that starts on this host meanwhile. */
const SPARE_PIDS = 1_500

/** Running threads, given as a list, go to and fro between two cgroups. @type {Trial} */
export const migrate = {
  name: 'migrate',
  what: 'threads that run already, given as a list, are moved to another cgroup, warm',
  unit: 'µs per thread',
  axis: 'threads',
  drivers: ['floor', 'vmcg', 'node-fs', 'node-fs-fd', 'containerd', 'opencontainers', 'libcgroup'],
  cases,
  scene: (stage, chosen) => migrationScene(stage, /** @type {Migration} */ (chosen)),
}

/** @returns {Migration[]} */
function cases() {
  const most = freePids() - SPARE_PIDS
  const sizes = SIZES.filter((size) => size <= most)
  // As many as pid_max leaves, where that is less than the last.
  if (sizes.length < SIZES.length && most > (sizes.at(-1) ?? 0)) sizes.push(Math.floor(most / 1_000) * 1_000)
  const unique = [...new Set(sizes)]
  return [
    ...unique.map((size) => migration(1, size, 1)),
    ...[1_000].map((size) => migration(1, size, 100)),
    ...unique.filter((size) => SIZES_V2.includes(size)).map((size) => migration(2, size, 1)),
  ]
}

/**
 * @param {1 | 2} version
 * @param {number} size
 * @param {number} processes
 * @returns {Migration}
 */
function migration(version, size, processes) {
  const series = `v${version}${processes > 1 ? `, ${processes} processes` : ''}`
  const name = `${size.toLocaleString('en')} threads, ${series}`
  return { name, size, series, version, processes, ...(size >= 16_000 && { repetitions: 7 }) }
}

function freePids() {
  const max = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'))
  const threads = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length
  // The kernel counts threads in the last but one field: running/all.
  const all = Number(readFileSync('/proc/loadavg', 'utf8').split(/[ /]/)[4] ?? threads)
  return max - Math.max(all, threads)
}

/**
 * @param {Stage} stage
 * @param {Migration} chosen
 * @returns {Promise<Scene | string>}
 */
async function migrationScene(stage, { version, size, processes }) {
  const hierarchy = version === 1 ? stage.cgroups.v1(['cpu'])?.[0] : stage.cgroups.v2()
  if (hierarchy === undefined) return `there is no cgroup v${version} with what it takes`
  const { mountPoint } = hierarchy
  const names = [`${PARENT}/a`, `${PARENT}/b`]
  // Single threads of v2 stay below the cgroup of their process.
  const crew = await Crew.start(stage, [hierarchy], {
    vms: processes,
    vcpus: size / processes,
    home: version === 1 ? `${PARENT}/home` : PARENT,
  })
  const folders = names.map((name) => stage.cgroups.make(hierarchy, name, { isThreaded: version === 2 }))
  const file = version === 1 ? 'tasks' : 'cgroup.threads'
  const files = folders.map((folder) => join(folder, file))
  const tids = crew.vms.flatMap((vm) => vm.tids)
  const words = tids.join(' ')
  let where = 0
  return {
    cwd: mountPoint,
    drivers: {
      floor: { args: files, words },
      vmcg: { args: files, words },
      'node-fs': { args: files, words },
      'node-fs-fd': { args: files, words },
      opencontainers: { args: [file, ...folders], words },
      // These two move single threads on v1 only.
      ...(version === 1 && {
        containerd: { args: ['cpu', ...names.map((name) => `/${name}`)], words },
        libcgroup: { args: ['cpu', ...names], words },
      }),
    },
    measure: async (driver) => {
      // A first write after some 10 ms of quiet waits for an RCU grace period (cgroup_threadgroup_rwsem), which would
      // hide what the drivers cost. This thread is there already, or soon.
      writeFileSync(files[where] ?? '', String(tids[0]))
      where = 1 - where
      return Number(await driver.ask(String(where))) / size
    },
    check: async (_, name) => {
      const there = readFileSync(files[where] ?? '', 'utf8').split('\n').length - 1
      if (there !== size) throw new Error(`${name}: ${there} of ${size} threads are where they should be`)
    },
  }
}
