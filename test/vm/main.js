'use strict'

// `npm run test:vm [-- guest... pattern...]` boots Debian guests with QEMU and runs the integration tests inside. See
// CONTRIBUTING.md. The last line is the sum of the tests.

const { existsSync, mkdtempSync, readdirSync, rmSync } = require('node:fs')
const { availableParallelism, tmpdir } = require('node:os')
const { join } = require('node:path')
const { SetupError } = require('../../tools/setup/errors')
const { Interrupted, watchForTheEnd } = require('../../tools/setup/ending')
const { run } = require('../../tools/setup/run')
const { accelerator } = require('./accelerator')
const { UsageError, readArguments } = require('./arguments')
const { bootGuest, openShell } = require('./boot')
const { makeDisk } = require('./disk')
const { GUESTS } = require('./guests')
const { guestImage } = require('./image')
const { commandOrders, coreJob, modulesJob, testOrders } = require('./orders')
const { CHECKOUT, ROOT } = require('./paths')
const { addCounts, formatCounts, formatLeftOut } = require('./report')

/**
 * @typedef {import('./arguments').Arguments} Arguments
 * @typedef {import('./guests').Guest} Guest
 * @typedef {import('./boot').Machine} Machine
 */

/** Emulated, a guest is 10 to 20 times slower: fewer rounds, and longer patience. */
const EMULATED = { VMCG_SCALE: '0.05', VMCG_PATIENCE: '4' }
const NATIVE = { VMCG_SCALE: '1', VMCG_PATIENCE: '2' }

/** Of these, what the caller sets itself. */
function chosenFactors() {
  const names = /** @type {const} */ (['VMCG_SCALE', 'VMCG_PATIENCE'])
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  )
}

/** In the checkout. */
const CORE_TESTS = 'build-core/vmcg-core-tests'

const GUEST_TIMEOUT_MS = 60 * 60_000

const USAGE = `usage: npm run test:vm [-- [guest...] [pattern...] [--brief] [--shell] [--exec COMMAND]]

Runs the integration tests inside Debian guests; with patterns, the files whose path holds one of them.
${GUESTS.map(({ name, shows }) => `  ${name.padEnd(8)} ${shows}`).join('\n')}

--brief         of guests that show little that no other host does, only that
--exec COMMAND  run this with sh in the checkout inside each guest, instead of the tests
--shell         a root shell inside one guest`

const NAMES = GUESTS.map(({ name }) => name)

/** @param {string} name @returns {Guest} */
function guestNamed(name) {
  const guest = GUESTS.find((one) => one.name === name)
  if (guest === undefined) throw new UsageError(`no guest is named ${name}`)
  return guest
}

/**
 * @param {Arguments} options
 * @param {Readonly<Record<string, string>>} env
 * @returns {Record<string, string>} the orders of each guest and what they need, by the file's path on the disk
 * @throws {UsageError} where a guest would have nothing to do
 */
function ordersFor({ guests, patterns, brief, command }, env) {
  const files = readdirSync(join(ROOT, 'test', 'integration'))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/integration/${name}`)
  const isAll = command === undefined && patterns.length === 0
  const hasCore = existsSync(join(ROOT, CORE_TESTS))
  if (isAll && !hasCore) console.log(`without the core's own tests: npm test builds ${CORE_TESTS}`)
  /** @type {Record<string, string>} */
  const onDisk = {}
  for (const name of guests) {
    const guest = guestNamed(name)
    const chosen = brief ? files.filter((file) => guest.brief?.test(file) ?? true) : files
    const { orders, parts } =
      command === undefined
        ? testOrders(guest, chosen, patterns, env)
        : { orders: commandOrders(command, env), parts: [] }
    if (orders.jobs.length === 0)
      throw new UsageError(
        `no test file of ${name} matches ${patterns.join(' ')}; guests: ${NAMES.join(', ')}`,
      )
    const core = isAll && hasCore ? [coreJob(`${CHECKOUT}/${CORE_TESTS}`)] : []
    const jobs = [modulesJob(guest.lacks), ...core, ...orders.jobs]
    onDisk[`orders/${name}.json`] = JSON.stringify({ jobs })
    for (const { path, text } of parts) onDisk[`checkout/${path}`] = text
  }
  return onDisk
}

/**
 * @param {Machine} machine
 * @param {Guest} guest
 * @returns {Promise<import('./report').Counts>}
 */
async function runGuest(machine, guest) {
  const onLine = (/** @type {string} */ line) => console.log(`${guest.name}: ${line}`)
  const { jobs, trouble } = await bootGuest(machine, guest, { timeoutMs: GUEST_TIMEOUT_MS, onLine })
  const troubles = jobs.map((job) => job.trouble && `${job.name}: ${job.trouble}`)
  const counts = addCounts(jobs.map((job) => job.counts))
  const told = [...troubles, trouble].filter((text) => text !== '')
  for (const text of told) for (const line of `failed: ${text}`.split('\n')) onLine(line)
  return { ...counts, failed: counts.failed + told.length }
}

/**
 * @param {Arguments} options
 * @param {AbortSignal} signal
 */
async function runAll(options, signal) {
  const image = await guestImage(signal)
  const kind = await accelerator(image, signal)
  const folder = mkdtempSync(join(tmpdir(), 'vmcg-vm-'))
  try {
    const orders = ordersFor(options, { ...(kind === 'kvm' ? NATIVE : EMULATED), ...chosenFactors() })
    const toLog = { cwd: folder, log: join(folder, 'log'), signal, onStart: () => undefined }
    const { rows = 24, columns = 80 } = process.stdout
    const files = { ...orders, terminal: `rows ${rows} cols ${columns}` }
    const disk = await makeDisk(folder, files, (program, args) => run(program, args, toLog))
    const machine = { image, disk, accelerator: kind, folder, signal }
    if (options.shell) await openShell(machine, guestNamed(options.guests[0] ?? ''))
    else await runGuests(machine, options)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * A guest for each CPU: its tests come one after the other, and those of two guests wait at different times.
 *
 * @param {Machine} machine
 * @param {Arguments} options
 */
async function runGuests(machine, { guests, command }) {
  const results = guests.map((name) => ({ name, counts: addCounts([]) }))
  // The last of the table has the most to do.
  const waiting = results.toReversed()
  const work = async () => {
    for (let result = waiting.shift(); result !== undefined; result = waiting.shift())
      result.counts = await runGuest(machine, guestNamed(result.name))
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  const sum = addCounts(results.map(({ counts }) => counts))
  process.exitCode = sum.failed > 0 ? 1 : 0
  if (command !== undefined) return
  // All that matched was left out, or worse: that proves nothing.
  if (sum.passed === 0) process.exitCode = 1
  for (const { name, counts } of results)
    for (const line of [formatCounts(counts), ...formatLeftOut(counts)]) console.log(`${name}: ${line}`)
  console.log(formatCounts(sum))
}

/** @param {readonly string[]} argv */
async function main(argv) {
  const options = readArguments(argv, NAMES)
  if (options.help) return console.log(USAGE)
  if (options.shell && !process.stdin.isTTY) throw new UsageError('--shell needs a terminal; see --exec')
  const end = watchForTheEnd()
  try {
    await runAll(options, end.signal)
  } finally {
    end.release()
  }
}

main(process.argv.slice(2)).catch((error) => {
  if (error instanceof Interrupted) process.exitCode = error.exitCode
  else {
    console.error(error instanceof SetupError || error instanceof UsageError ? error.message : error)
    process.exitCode = error instanceof UsageError ? 2 : 1
  }
})
