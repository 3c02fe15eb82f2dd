import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

/** A VM's monitor, as one talks to it in a few lines of Node. */
export class Monitor {
  #socket
  #lines

  /** @param {string} word pid:socket */
  constructor(word) {
    const [pid = '', path = ''] = word.split(':')
    this.pid = pid
    this.#socket = connect(path)
    this.#lines = createInterface({ input: this.#socket })[Symbol.asyncIterator]()
  }

  /** @param {string} word pid:socket */
  static async connect(word) {
    const monitor = new Monitor(word)
    await once(monitor.#socket, 'connect')
    await monitor.#lines.next()
    await monitor.#ask('qmp_capabilities')
    return monitor
  }

  /** @returns {Promise<number[]>} the threads of its vCPUs */
  async vcpus() {
    const cpus = await this.#ask('query-cpus-fast')
    return cpus.map((/** @type {{ 'thread-id': number }} */ cpu) => cpu['thread-id'])
  }

  close() {
    this.#socket.destroy()
  }

  /** @param {string} command */
  async #ask(command) {
    this.#socket.write(`${JSON.stringify({ execute: command })}\n`)
    const { value } = await this.#lines.next()
    return JSON.parse(value).return
  }
}
