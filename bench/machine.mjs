import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { detectHost } from 'vmcg'

/**
 * What a result depends on beside the code.
 *
 * @typedef {object} Machine
 * @property {string} kernel
 * @property {number} cpus
 * @property {string} model
 * @property {number} memoryGiB
 * @property {string} node
 * @property {string} cgroups controllers by version
 * @property {boolean} favordynmods whether a v1 or v2 hierarchy is mounted so, which spares moves the grace period
 * @property {number} pidMax
 * @property {number} load of the last minute, before the run
 */

/** @returns {Machine} */
export function describeMachine() {
  const { hierarchies } = detectHost()
  const v1 = hierarchies.filter(({ version }) => version === 1).flatMap(({ controllers }) => controllers)
  const v2 = hierarchies.filter(({ version }) => version === 2)
  return {
    kernel: release(),
    cpus: availableParallelism(),
    model: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    cgroups: [
      ...(v1.length > 0 ? [`v1 (${v1.join(', ')})`] : []),
      ...v2.map(({ controllers }) => `v2 (${controllers.join(', ') || 'no controllers'})`),
    ].join(' and '),
    favordynmods: /\bfavordynmods\b/.test(readFileSync('/proc/self/mountinfo', 'utf8')),
    pidMax: Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8')),
    load: loadavg()[0] ?? 0,
  }
}
