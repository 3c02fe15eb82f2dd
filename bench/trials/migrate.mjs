import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { detectHost } from 'vmcg'
import { Ending } from '../ending.mjs'
import { buildFloor } from '../floor/build.mjs'
import { ROOT } from '../folders.mjs'
import { LineProcess } from '../line-process.mjs'

/** @import { DriverResult, Trial, TrialOptions } from '../main.mjs' */

const PARENT = `vmcg-test-bench-${process.pid}`
const CGROUPS = [join(PARENT, 'a'), join(PARENT, 'b')]
/** The file of a cgroup that lists its threads, and takes them, by version. */
const THREADS = { 1: 'tasks', 2: 'cgroup.threads' }

/** A list of running threads, moved to and fro between two cgroups where the `cpu` controller lives. @type {Trial} */
export const migrate = {
  name: 'migrate',
  unit: 'µs per thread',
  drivers: ['floor', 'vmcg', 'node-fs', 'node-fs-fd'],
  run,
}

/** @param {TrialOptions} options */
async function run({ threads, repetitions, drivers, signal }) {
  const hierarchy = detectHost().controller('cpu')
  if (hierarchy === undefined) throw new Ending('migrate needs the cpu controller, on cgroup v1 or v2')
  const { mountPoint, version } = hierarchy
  const files = CGROUPS.map((cgroup) => join(cgroup, THREADS[version]))
  /** @type {LineProcess[]} */
  const processes = []
  /** @param {readonly [string, ...string[]]} command */
  const start = (...command) => {
    const process = new LineProcess(command, mountPoint, signal)
    processes.push(process)
    return process
  }
  try {
    makeCgroups(mountPoint, version)
    const standIn = start('python3', join(ROOT, 'test', 'support', 'stand-in.py'))
    // Single threads of v2 go only where their process is above them.
    if (version === 2) writeFileSync(join(mountPoint, PARENT, 'cgroup.procs'), String(standIn.pid))
    const tids = await standIn.ask(`start ${threads}`)
    const commands = commandsOf(drivers, files).map(({ name, command }) => ({
      name,
      driver: start(...command),
    }))
    /** @type {(DriverResult & { driver: LineProcess })[]} */
    const crew = commands.map((command) => ({ ...command, values: [] }))
    for (const { driver } of crew) {
      await driver.ask(tids)
      await warmUp(
        driver,
        files.map((file) => join(mountPoint, file)),
        threads,
      )
    }
    for (let repetition = 0; repetition < repetitions; repetition += 1) {
      for (const { driver, values } of crew) values.push((await thereAndBack(driver)) / (2 * threads))
    }
    return crew.map(({ name, values }) => ({ name, values }))
  } finally {
    await Promise.all(processes.map((process) => process.end()))
    await removeCgroups(mountPoint)
  }
}

/**
 * @param {readonly string[]} drivers
 * @param {readonly string[]} files to and from which they move threads
 * @returns {{ name: string, command: [string, ...string[]] }[]} without those that cannot be had here
 */
function commandsOf(drivers, files) {
  return drivers.flatMap((name) => {
    const script = join(ROOT, 'bench', 'drivers', `${name}.mjs`)
    if (name !== 'floor') return { name, command: [process.execPath, script, ...files] }
    const floor = buildFloor()
    if (floor !== undefined) return { name, command: [floor, ...files] }
    console.log('left out: floor, for there is no C compiler (apt-get install gcc, or CC=…)')
    return []
  })
}

/**
 * Two passes that are not counted, and the kernel is asked whether the driver does what it says.
 *
 * @param {LineProcess} driver
 * @param {readonly string[]} lists
 * @param {number} threads
 */
async function warmUp(driver, lists, threads) {
  for (const to of [1, 0]) {
    await driver.ask(String(to))
    const there = readFileSync(lists[to] ?? '', 'utf8').split('\n').length - 1
    if (there !== threads) throw new Error(`${there} of ${threads} threads are where they should be`)
  }
}

/** @param {LineProcess} driver @returns {Promise<number>} microseconds */
async function thereAndBack(driver) {
  // Not counted, for the threads are there: a first write after some 10 ms of quiet waits for an RCU grace period
  // (cgroup_threadgroup_rwsem), which would hide what the drivers cost.
  await driver.ask('0')
  return Number(await driver.ask('1')) + Number(await driver.ask('0'))
}

/**
 * @param {string} mountPoint
 * @param {1 | 2} version
 */
function makeCgroups(mountPoint, version) {
  for (const cgroup of [PARENT, ...CGROUPS]) {
    const path = join(mountPoint, cgroup)
    try {
      mkdirSync(path)
      if (version === 2 && cgroup !== PARENT) writeFileSync(join(path, 'cgroup.type'), 'threaded')
    } catch (error) {
      const { code } = /** @type {NodeJS.ErrnoException} */ (error)
      throw new Ending(
        `cannot make the cgroup ${path} (${code}): run it as root, where cgroups can be written`,
      )
    }
  }
}

/** @param {string} mountPoint */
async function removeCgroups(mountPoint) {
  for (const path of [...CGROUPS, PARENT].map((cgroup) => join(mountPoint, cgroup))) {
    for (let attempt = 0; existsSync(path); attempt += 1) {
      try {
        rmdirSync(path)
      } catch (error) {
        // Threads that have ended can be counted for some moments more.
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EBUSY' || attempt === 200) throw error
        await sleep(attempt)
      }
    }
  }
}
