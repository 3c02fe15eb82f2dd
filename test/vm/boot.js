'use strict'

const { once } = require('node:events')
const { existsSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const { createInterface } = require('node:readline')
const { bootArguments, startQemu } = require('./qemu')
const { parseReport } = require('./report')

/**
 * @typedef {object} Machine what all boots of a run share
 * @property {import('./image').Image} image
 * @property {string} disk
 * @property {import('./qemu').Accelerator} accelerator
 * @property {string} folder for the consoles and the reports
 * @property {AbortSignal} signal
 *
 * @typedef {object} Outcome
 * @property {readonly import('./report').JobRecord[]} jobs
 * @property {string} trouble what went wrong beside the jobs; empty when nothing did
 */

/** A boot takes 10 s when it is emulated on an idle host. */
const BOOT_TIMEOUT_MS = 300_000
const CONSOLE_TAIL_LINES = 60

/**
 * Boots a guest, lets it do what its orders say, and waits for its end.
 *
 * @param {Machine} machine
 * @param {import('./guests').Guest} guest
 * @param {{ timeoutMs: number, onLine: (line: string) => void }} options
 * @returns {Promise<Outcome>} rejects with the signal's reason, when QEMU has ended
 */
async function bootGuest({ image, disk, accelerator, folder, signal }, guest, { timeoutMs, onLine }) {
  signal.throwIfAborted()
  const console = join(folder, `${guest.name}.console`)
  const report = join(folder, `${guest.name}.report`)
  const kernel = [...guest.kernel, `vmcg.run=${guest.name}`]
  const ports = { output: /** @type {const} */ ('stdio'), report: { file: report } }
  const args = bootArguments({ image, disk, accelerator, kernel, console: { file: console }, ports })
  // An open stdin that nothing comes from: at its end QEMU would take the port for closed, and the guest wait for it.
  const child = startQemu(args, ['pipe', 'pipe', 'pipe'])
  let stderr = ''
  child.stderr?.on('data', (text) => {
    stderr += text
  })
  const ended = once(child, 'close').catch((error) => {
    stderr += error.message
  })

  let late = ''
  /** @param {string} why */
  const giveUp = (why) => {
    late = why
    child.kill('SIGKILL')
  }
  const abort = () => giveUp('stopped')
  signal.addEventListener('abort', abort)
  const booting = setTimeout(giveUp, BOOT_TIMEOUT_MS, `did not boot within ${BOOT_TIMEOUT_MS / 1000} s`)
  const working = setTimeout(giveUp, timeoutMs, `took longer than ${timeoutMs / 60_000} min`)
  let said = false
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      said = true
      clearTimeout(booting)
      onLine(line)
    })
  }
  await ended
  for (const timer of [booting, working]) clearTimeout(timer)
  signal.removeEventListener('abort', abort)
  signal.throwIfAborted()

  const records = existsSync(report) ? parseReport(readFileSync(report, 'utf8')) : []
  const jobs = records.filter((record) => record.type === 'job')
  if (records.some(({ type }) => type === 'end')) return { jobs, trouble: '' }
  const why = late || (said ? 'ended before it had done everything' : 'did not boot')
  return { jobs, trouble: [why, stderr.trim(), tailOf(console)].filter(Boolean).join('\n') }
}

/** @param {string} file @returns {string} how a kernel's console ends, without its escape sequences */
function tailOf(file) {
  if (!existsSync(file)) return ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const text = readFileSync(file, 'utf8').replaceAll(/\u001b\[[0-9;?]*[a-zA-Z]|\r/g, '')
  const lines = text.trimEnd().split('\n').slice(-CONSOLE_TAIL_LINES)
  return `its console ends with\n${lines.join('\n')}`
}

/**
 * A root shell on the guest's console, on this terminal. Ends with the guest.
 *
 * @param {Machine} machine
 * @param {import('./guests').Guest} guest
 * @returns {Promise<void>}
 */
async function openShell({ image, disk, accelerator, folder, signal }, guest) {
  const kernel = [...guest.kernel, 'quiet', 'systemd.show_status=0', 'vmcg.shell']
  const file = (/** @type {string} */ name) => ({ file: join(folder, name) })
  const ports = { output: file('output'), report: file('report') }
  const args = bootArguments({ image, disk, accelerator, kernel, console: 'stdio', ports })
  const child = startQemu(args, 'inherit')
  const abort = () => child.kill('SIGKILL')
  signal.addEventListener('abort', abort)
  await once(child, 'close')
  signal.removeEventListener('abort', abort)
  signal.throwIfAborted()
}

module.exports = { bootGuest, openShell }
