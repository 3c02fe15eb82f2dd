'use strict'

const { partsOf } = require('./parts')
const { CHECKOUT, NODE } = require('./paths')

/**
 * What the guest is told to do: the file `orders.json` of its second disk.
 *
 * @typedef {object} Job
 * @property {string} name
 * @property {readonly (readonly string[])[]} before
 * @property {'root' | 'vmcg'} user
 * @property {'delegated' | 'systemd' | 'scope'} [session]
 * @property {Readonly<Record<string, string>>} env
 * @property {readonly string[]} command
 * @property {'jest' | 'gtest' | 'command'} kind whose report it leaves; a command leaves none
 * @property {number} timeoutMs
 *
 * @typedef {{ jobs: readonly Job[] }} Orders
 * @typedef {import('./parts').Part} Part
 * @typedef {import('./guests').Guest} Guest
 */

/** Longer than any phase takes; the guest as a whole is bounded as well. */
const PHASE_TIMEOUT_MS = 45 * 60_000

/**
 * @param {Guest} guest
 * @param {readonly string[]} files the test files that there are, such as `test/integration/demo.test.ts`
 * @param {readonly string[]} patterns empty: all, many in one
 * @param {Readonly<Record<string, string>>} env for every phase
 * @returns {{ orders: Orders, parts: readonly Part[] }} without the phases that have no file to run; the parts are
 *   files that the guest's checkout has beside its own
 */
function testOrders(guest, files, patterns, env) {
  const wanted = files.filter(
    (file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)),
  )
  const phases = guest.phases.flatMap((phase) => {
    const own = wanted.filter((file) => phase.files.test(nameOf(file)))
    if (own.length === 0) return []
    const parts = patterns.length === 0 ? partsOf(`${guest.name}-${phase.name}`, own) : []
    const lacks = [...guest.lacks, ...(phase.lacks ?? []), ...(phase.user === undefined ? [] : ['root'])]
    const job = {
      name: phase.name,
      before: phase.before ?? [],
      user: phase.user ?? /** @type {const} */ ('root'),
      ...(phase.session && { session: phase.session }),
      env: { VMCG_REQUIRE: '1', ...env, ...phase.env, VMCG_LACKS: lacks.join(',') },
      command: jestCommand(patterns.length === 0 ? parts.map(({ path }) => path) : own),
      kind: /** @type {const} */ ('jest'),
      timeoutMs: PHASE_TIMEOUT_MS,
    }
    return [{ job, parts }]
  })
  return { orders: { jobs: phases.map(({ job }) => job) }, parts: phases.flatMap(({ parts }) => parts) }
}

/**
 * @param {string} command for sh
 * @param {Readonly<Record<string, string>>} env
 * @returns {Orders}
 */
function commandOrders(command, env) {
  const job = {
    name: 'command',
    before: [],
    user: /** @type {const} */ ('root'),
    env,
    command: ['sh', '-c', command],
    kind: /** @type {const} */ ('command'),
    timeoutMs: PHASE_TIMEOUT_MS,
  }
  return { jobs: [job] }
}

/**
 * Loads the kernel's modules, so that what the tests would leave out without them is a failure of the boot.
 *
 * @param {readonly string[]} lacks those of them that the boot is known to be without, among others
 * @returns {Job}
 */
function modulesJob(lacks) {
  return {
    name: 'modules',
    before: [],
    user: 'root',
    env: { VMCG_LACKS: lacks.join(',') },
    command: ['sh', `${CHECKOUT}/test/vm/guest/modules.sh`],
    kind: 'command',
    timeoutMs: PHASE_TIMEOUT_MS,
  }
}

/**
 * @param {string} program the core's own tests, where they are in the guest
 * @returns {Job}
 */
function coreJob(program) {
  return {
    name: 'core',
    before: [],
    user: 'root',
    env: {},
    command: [program],
    kind: 'gtest',
    timeoutMs: PHASE_TIMEOUT_MS,
  }
}

/** @param {readonly string[]} files */
function jestCommand(files) {
  return [
    ...[NODE, 'test/node_modules/jest/bin/jest.js', '--config', 'test/jest.config.js'],
    ...['--runInBand', '--no-watchman', '--runTestsByPath', ...files],
  ]
}

/** @param {string} file */
function nameOf(file) {
  return file.slice(file.lastIndexOf('/') + 1).replace(/\.test\.ts$/, '')
}

module.exports = { commandOrders, coreJob, modulesJob, testOrders }
