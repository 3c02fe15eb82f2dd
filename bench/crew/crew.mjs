import { mkdtempSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { HOME } from '../cgroups.mjs'
import { buildCrew } from '../drivers.mjs'
import { Ending } from '../ending.mjs'

/** @import { Hierarchy } from 'vmcg' */
/** @import { Stage } from '../stage.mjs' */

/**
 * A stand-in for a VM.
 *
 * @typedef {{ pid: number, tids: readonly number[], socket: string }} CrewVm tids: of its vCPUs
 *
 * @typedef {object} CrewShape
 * @property {number} [vms]
 * @property {number} vcpus of each VM
 * @property {number} [iothreads]
 * @property {number} [others]
 * @property {boolean} [hasMonitor]
 * @property {string} [home] the cgroup that they are born in
 */

/** VMs that are processes with threads that wait, at home in a cgroup of the bench in each hierarchy. */
export class Crew {
  #homes

  /**
   * @param {readonly CrewVm[]} vms
   * @param {readonly string[]} homes their `cgroup.procs`
   */
  constructor(vms, homes) {
    this.vms = vms
    this.#homes = homes
  }

  /**
   * @param {Stage} stage
   * @param {readonly Hierarchy[]} hierarchies where they have a home
   * @param {CrewShape} shape
   */
  static async start(stage, hierarchies, shape) {
    const { vms = 1, vcpus, iothreads = 0, others = 0, hasMonitor = false, home = HOME } = shape
    const homes = hierarchies.map((hierarchy) => join(stage.cgroups.make(hierarchy, home), 'cgroup.procs'))
    const built = buildCrew()
    if ('missing' in built) throw new Ending(`the stand-ins for VMs are C programs: ${built.missing}`)
    const sockets = mkdtempSync(join(stage.folder, 'vms-'))
    const counts = [vms, vcpus, iothreads, others].map(String)
    const crew = stage.start([built.program, ...counts, ...(hasMonitor ? [sockets] : [])], '/')
    for (const file of homes) writeFileSync(file, String(crew.pid))
    const report = await crew.ask('start')
    const members = report.split(' ').map((text, number) => {
      const [pid = '', tids = ''] = text.split(':')
      return {
        pid: Number(pid),
        tids: tids.split(',').map(Number),
        socket: join(sockets, `${number}.sock`),
      }
    })
    return new Crew(members, homes)
  }

  /** `pid:socket` of each VM, as drivers take it. */
  get words() {
    return this.vms.map(({ pid, socket }) => `${pid}:${socket}`).join(' ')
  }

  /** Takes all of them back from wherever a driver has placed them. */
  goHome() {
    for (const file of this.#homes) {
      for (const { pid } of this.vms) writeFileSync(file, String(pid))
    }
  }
}

/**
 * One command over the monitor of a VM, on a connection of its own.
 *
 * @param {CrewVm} vm
 * @param {'device_add' | 'device_del'} command
 */
export async function tellVm({ socket: path }, command) {
  const socket = connect(path)
  try {
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
    await lines.next()
    socket.write(`${JSON.stringify({ execute: command })}\n`)
    const { value } = await lines.next()
    if (!String(value).startsWith('{"return"')) throw new Error(`${command}: ${value}`)
  } finally {
    socket.destroy()
  }
}
