import { join } from 'node:path'
import { ROOT } from './folders.mjs'
import { buildC } from './toolchains/c.mjs'
import { buildGo } from './toolchains/go.mjs'

/**
 * What runs a driver's part of a trial, without the trial's own arguments; or what it takes to have it.
 *
 * @typedef {{ command: [string, ...string[]] } | { missing: string }} DriverCommand
 */

const FLOOR = 'bench/drivers/floor'
/** What is not in the file of the trial. */
const FLOOR_PARTS = new Map([
  ['adopt', [`${FLOOR}/qmp.c`, `${FLOOR}/qmp.h`]],
  ['careful-adopt', ['qmp.c', 'qmp.h', 'careful.c', 'careful.h'].map((name) => `${FLOOR}/${name}`)],
  ['careful-place', [`${FLOOR}/careful.c`, `${FLOOR}/careful.h`]],
  ['hotplug', [`${FLOOR}/qmp.c`, `${FLOOR}/qmp.h`]],
])

/** @param {string} trial */
function floor(trial) {
  return buildC(`floor-${trial}`, [`${FLOOR}/${trial}.c`, ...(FLOOR_PARTS.get(trial) ?? [])])
}

/** Drivers that are compiled. @type {ReadonlyMap<string, (trial: string) => DriverCommand>} */
const COMPILED = new Map([
  ['floor', (trial) => commandOf(floor(trial), [])],
  ['floor-careful', (trial) => commandOf(floor(`careful-${trial}`), [])],
  ['floor-helper', (trial) => commandOf(floor(trial), [])],
  ['floor-outside', (trial) => commandOf(floor(trial), [])],
  [
    'containerd',
    (trial) =>
      commandOf(
        buildGo('containerd', 'github.com/containerd/cgroups', 'golang-github-containerd-cgroups-dev'),
        [trial],
      ),
  ],
  [
    'opencontainers',
    (trial) =>
      commandOf(
        buildGo(
          'opencontainers',
          'github.com/opencontainers/runc/libcontainer',
          'golang-github-opencontainers-runc-dev',
        ),
        [trial],
      ),
  ],
  [
    'libcgroup',
    (trial) =>
      commandOf(
        buildC('libcgroup', ['bench/drivers/libcgroup/main.c'], {
          flags: ['-lcgroup'],
          packages: 'gcc libcgroup-dev',
        }),
        [trial],
      ),
  ],
])

/** The child of the trial `launch`: static, so that it begins as soon as a program can. */
export function buildStamp() {
  return buildC('stamp', [`${FLOOR}/stamp.c`], { flags: ['-static'] })
}

export function buildCrew() {
  const names = ['crew.c', 'vm.c', 'vm.h', 'monitor.c', 'monitor.h']
  return buildC(
    'crew',
    names.map((name) => `bench/crew/${name}`),
    { flags: ['-pthread'] },
  )
}

/**
 * @param {string} driver
 * @param {string} trial
 * @returns {DriverCommand}
 */
export function driverCommand(driver, trial) {
  const compiled = COMPILED.get(driver)
  if (compiled !== undefined) return compiled(trial)
  return {
    command: [process.execPath, '--expose-gc', join(ROOT, 'bench', 'drivers', driver, `${trial}.mjs`)],
  }
}

/**
 * @param {import('./toolchains/compiled.mjs').Built} built
 * @param {readonly string[]} args
 * @returns {DriverCommand}
 */
function commandOf(built, args) {
  return 'missing' in built ? built : { command: [built.program, ...args] }
}
