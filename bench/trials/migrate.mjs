import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs'
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
const TASKS = CGROUPS.map((cgroup) => join(cgroup, 'tasks'))

/** A list of running threads, moved to and fro between two v1 `cpu` cgroups. @type {Trial} */
export const migrate = {
  name: 'migrate',
  unit: 'µs per thread',
  drivers: ['floor', 'vmcg', 'node-fs', 'node-fs-fd'],
  run,
}

/** @param {TrialOptions} options */
async function run({ threads, repetitions, drivers, signal }) {
  const hierarchy = detectHost().controller('cpu')
  if (hierarchy?.version !== 1) throw new Ending('migrate needs the cpu controller as a cgroup v1 hierarchy')
  const { mountPoint } = hierarchy
  /** @type {LineProcess[]} */
  const processes = []
  /** @param {readonly [string, ...string[]]} command */
  const start = (...command) => {
    const process = new LineProcess(command, mountPoint, signal)
    processes.push(process)
    return process
  }
  try {
    makeCgroups(mountPoint)
    const standIn = start('python3', join(ROOT, 'test', 'support', 'stand-in.py'))
    const tids = await standIn.ask(`start ${threads}`)
    const commands = commandsOf(drivers).map(({ name, command }) => ({ name, driver: start(...command) }))
    /** @type {(DriverResult & { driver: LineProcess })[]} */
    const crew = commands.map((command) => ({ ...command, values: [] }))
    for (const { driver } of crew) {
      await driver.ask(tids)
      await warmUp(driver, mountPoint, threads)
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
 * @returns {{ name: string, command: [string, ...string[]] }[]} without those that cannot be had here
 */
function commandsOf(drivers) {
  return drivers.flatMap((name) => {
    const script = join(ROOT, 'bench', 'drivers', `${name}.mjs`)
    if (name !== 'floor') return { name, command: [process.execPath, script, ...TASKS] }
    const floor = buildFloor()
    if (floor !== undefined) return { name, command: [floor, ...TASKS] }
    console.log('left out: floor, for there is no C compiler (apt-get install gcc, or CC=…)')
    return []
  })
}

/**
 * Two passes that are not counted, and the kernel is asked whether the driver does what it says.
 *
 * @param {LineProcess} driver
 * @param {string} mountPoint
 * @param {number} threads
 */
async function warmUp(driver, mountPoint, threads) {
  for (const to of [1, 0]) {
    await driver.ask(String(to))
    const there = readFileSync(join(mountPoint, TASKS[to] ?? ''), 'utf8').split('\n').length - 1
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

/** @param {string} mountPoint */
function makeCgroups(mountPoint) {
  for (const path of [PARENT, ...CGROUPS].map((cgroup) => join(mountPoint, cgroup))) {
    try {
      mkdirSync(path)
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
