'use strict'

// Inside a guest: does what the second disk orders for this boot, and tells the host over two ports. Started by
// vmcg-run.service, which powers off when this ends, however that comes.

const { spawn, spawnSync } = require('node:child_process')
const { existsSync, mkdirSync, openSync, readFileSync, symlinkSync, writeSync } = require('node:fs')
const { release } = require('node:os')
const { dirname } = require('node:path')
const { countGtest, countJest, formatSlowest } = require('../report')
const { DISK } = require('../paths')
const { delegate } = require('./delegate')
const { ownSystemd } = require('./own-systemd')

/**
 * @typedef {import('../orders').Job} Job
 * @typedef {import('../report').GuestRecord} GuestRecord
 */

/** How a program is told where to leave its report. */
const REPORTING = {
  jest: (/** @type {string} */ file) => ['--json', '--outputFile', file],
  gtest: (/** @type {string} */ file) => [`--gtest_output=json:${file}`],
  command: () => [],
}

const NO_COUNTS = { passed: 0, failed: 0, skipped: 0, leftOut: {} }

/** @returns {string} what this boot was started for, of the kernel's command line */
function nameOfBoot() {
  const words = readFileSync('/proc/cmdline', 'utf8').trim().split(' ')
  return words.find((word) => word.startsWith('vmcg.run='))?.slice('vmcg.run='.length) ?? ''
}

/** This Node may come from a distribution that is not the guest's: it finds here what the guest has not. */
function addLibraries() {
  const folder = `${DISK}/libraries`
  const { stdout } = spawnSync('find', [folder, '-type', 'f', '-printf', '/%P\n'], { encoding: 'utf8' })
  for (const path of stdout
    .trim()
    .split('\n')
    .filter((found) => found !== '/' && !existsSync(found))) {
    mkdirSync(dirname(path), { recursive: true })
    symlinkSync(`${folder}${path}`, path)
  }
}

/**
 * @param {readonly string[]} command
 * @param {number} output a descriptor
 * @param {{ env?: NodeJS.ProcessEnv, timeoutMs: number }} options
 * @returns {Promise<string>} how it failed; empty when it did not
 */
function run([program = '', ...args], output, { env, timeoutMs }) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: ['ignore', output, output], detached: true })
    let late = false
    const timer = setTimeout(() => {
      late = true
      process.kill(-(child.pid ?? 0), 'SIGKILL')
    }, timeoutMs)
    /** @param {string} trouble */
    const end = (trouble) => {
      clearTimeout(timer)
      resolve(trouble)
    }
    child.once('error', (error) => end(error.message))
    child.once('exit', (code, by) => {
      if (late) end(`${program} took longer than ${timeoutMs / 1000} s`)
      else end(code === 0 ? '' : `${program} ended with ${by ?? code}`)
    })
  })
}

const DELEGATED_SCOPE = ['systemd-run', '--scope', '--quiet', '--collect', '--property=Delegate=yes']

/** @param {Job} job */
function sessionOf({ user, session }) {
  if (session === 'scope') return { prefix: DELEGATED_SCOPE, env: {} }
  if (user === 'root') return { prefix: [], env: {} }
  return session === 'systemd' ? ownSystemd(user) : delegate(user)
}

/**
 * @param {Job} job
 * @param {number} output
 * @param {(text: string) => void} say
 * @returns {Promise<GuestRecord>}
 */
async function doJob(job, output, say) {
  const { name, before, kind } = job
  const start = performance.now()
  /** @param {import('../report').Counts} counts @param {string} trouble @returns {GuestRecord} */
  const record = (counts, trouble) => {
    const seconds = Math.round((performance.now() - start) / 1000)
    return { type: 'job', name, seconds, counts, trouble }
  }
  for (const command of before) {
    const trouble = await run(command, output, { timeoutMs: job.timeoutMs })
    if (trouble !== '') return record(NO_COUNTS, `${command.join(' ')}: ${trouble}`)
  }
  const report = `/tmp/vmcg-${name}.json`
  const wrapped = sessionOf(job)
  const command = [...wrapped.prefix, ...job.command, ...REPORTING[kind](report)]
  const env = { ...process.env, ...job.env, ...wrapped.env }
  const trouble = await run(command, output, { env, timeoutMs: job.timeoutMs })
  if (kind === 'command') return record(NO_COUNTS, trouble)
  if (!existsSync(report)) return record(NO_COUNTS, trouble || `${kind} left no report`)
  const left = JSON.parse(readFileSync(report, 'utf8'))
  const counts = kind === 'jest' ? countJest(left) : countGtest(left)
  if (kind === 'jest') for (const line of formatSlowest(left)) say(line)
  // The exit code says what the counts say as well.
  return record(counts, counts.failed > 0 ? '' : trouble)
}

async function main() {
  const output = openSync('/dev/virtio-ports/vmcg.output', 'w')
  const report = openSync('/dev/virtio-ports/vmcg.report', 'w')
  /** @param {string} text */
  const say = (text) => writeSync(output, `${text}\n`)
  /** @param {GuestRecord} record */
  const tell = (record) => writeSync(report, `${JSON.stringify(record)}\n`)

  const { jobs } = /** @type {import('../orders').Orders} */ (
    JSON.parse(readFileSync(`${DISK}/orders/${nameOfBoot()}.json`, 'utf8'))
  )
  say(`booted Linux ${release()} in ${Math.round(Number.parseFloat(readFileSync('/proc/uptime', 'utf8')))} s`)
  addLibraries()
  for (const job of jobs) {
    if (jobs.length > 1) say(`-- ${job.name}`)
    tell(await doJob(job, output, say))
  }
  tell({ type: 'end' })
}

void main()
