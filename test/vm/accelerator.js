'use strict'

const { mkdirSync, readFileSync, writeFileSync } = require('node:fs')
const { release } = require('node:os')
const { join } = require('node:path')
const { cacheFolder } = require('./paths')
const { probeArguments, startQemu } = require('./qemu')

/** A kernel under KVM says its first words within a second, also on a busy host. */
const PROBE_MS = 8000

/**
 * How fast guests can be. A /dev/kvm that opens is not enough: on a host that is a guest itself, KVM may run the few
 * instructions of a test and never get a Linux to its first line. So one is started, and the answer kept for as long
 * as this host runs.
 *
 * @param {import('./image').Image} image
 * @param {AbortSignal} signal
 * @returns {Promise<import('./qemu').Accelerator>}
 */
async function accelerator(image, signal) {
  const note = join(cacheFolder(), 'accelerator')
  const host = `${release()} ${readIfThere('/proc/sys/kernel/random/boot_id').trim()}`
  const [known, answer] = readIfThere(note).split('\n')
  if (known === host && (answer === 'kvm' || answer === 'tcg')) return answer
  const found = (await bootsUnderKvm(image, signal)) ? 'kvm' : 'tcg'
  signal.throwIfAborted()
  mkdirSync(cacheFolder(), { recursive: true })
  writeFileSync(note, `${host}\n${found}\n`)
  return found
}

/**
 * @param {import('./image').Image} image
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>}
 */
function bootsUnderKvm(image, signal) {
  return new Promise((resolve) => {
    const child = startQemu(probeArguments(image), ['ignore', 'pipe', 'ignore'])
    const end = () => child.kill('SIGKILL')
    const timer = setTimeout(end, PROBE_MS)
    signal.addEventListener('abort', end)
    let said = ''
    child.stdout?.on('data', (text) => {
      said += text
      if (said.includes('Linux version')) end()
    })
    child.once('close', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve(said.includes('Linux version'))
    })
    child.once('error', () => resolve(false))
  })
}

/** @param {string} path */
function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

module.exports = { accelerator }
