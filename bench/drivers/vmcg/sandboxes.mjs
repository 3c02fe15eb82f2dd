import { QemuHypervisor, Sandbox } from 'vmcg'

/** @import { Report } from 'vmcg' */

/** How a driver's sandboxes are made: their parent's path, their states' folder, and what the container asks for. */
export class SandboxKind {
  /** @param {readonly string[]} args parent, state folder, CPUs, memory nodes */
  constructor([parent = '', stateDir = '', cpus = '', mems = '']) {
    const cpu = { shares: 2048, quota: 200_000, period: 100_000, cpus, mems }
    this.containers = [{ id: 'c', spec: { linux: { resources: { cpu } } } }]
    this.parent = parent
    this.stateDir = stateDir
  }

  /** @param {string} id */
  create(id) {
    const { parent, stateDir, containers } = this
    return Sandbox.create({ id, parent, stateDir, containers })
  }
}

/**
 * @param {readonly string[]} words pid:socket
 * @returns {Promise<QemuHypervisor[]>}
 */
export function connectAll(words) {
  return Promise.all(
    words.map((word) => QemuHypervisor.connect({ socket: word.slice(word.indexOf(':') + 1) })),
  )
}

/** Sandboxes for VMs that are connected, made before each run and taken away after it. */
export class AdoptedVms {
  /** @type {Sandbox[]} */
  #sandboxes = []
  /** @type {readonly Report[]} */
  #reports = []
  #kind
  #hypervisors

  /**
   * @param {SandboxKind} kind
   * @param {readonly QemuHypervisor[]} hypervisors
   */
  constructor(kind, hypervisors) {
    this.#kind = kind
    this.#hypervisors = hypervisors
  }

  async prepare() {
    this.#sandboxes = []
    for (const [number, hypervisor] of this.#hypervisors.entries()) {
      const sandbox = await this.#kind.create(String(number))
      await sandbox.attach(hypervisor, { own: false })
      this.#sandboxes.push(sandbox)
    }
  }

  async adopt() {
    this.#reports = await applyAll(this.#sandboxes)
  }

  async undo() {
    for (const sandbox of this.#sandboxes) {
      await sandbox.destroy()
      sandbox.close()
    }
    this.#sandboxes = []
  }

  /** The slowest write of the last adoption that moved a thread or a process, in microseconds. */
  slowestMove() {
    const moves = this.#reports.flatMap(({ operations }) => operations).filter(({ ids }) => ids.length > 0)
    return Math.max(0, ...moves.map(({ microseconds }) => microseconds))
  }

  async end() {
    await this.undo()
    for (const hypervisor of this.#hypervisors) await hypervisor.close()
  }
}

/**
 * @param {readonly Sandbox[]} sandboxes
 * @returns {Promise<Report[]>} of all of them: a time for some would be a lie
 */
async function applyAll(sandboxes) {
  const outcomes = await Sandbox.applyAll(sandboxes)
  return outcomes.map((outcome) => {
    if ('error' in outcome) throw outcome.error
    return outcome.report
  })
}
