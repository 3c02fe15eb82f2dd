import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A process that answers each line on its stdin with one line on its stdout, and ends with its stdin. */
export class LineProcess {
  #child
  #lines
  #ended

  /**
   * @param {readonly [string, ...string[]]} command
   * @param {string} cwd
   * @param {AbortSignal} signal kills it
   */
  constructor([program, ...args], cwd, signal) {
    // Detached, so that Ctrl-C is for the bench only, which ends its processes in order.
    this.#child = spawn(program, args, {
      cwd,
      signal,
      killSignal: 'SIGKILL',
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    let why = ''
    this.#child.on('error', ({ message }) => {
      why = message
    })
    // `ask` tells of a process that is gone: it finds no answer.
    this.#child.stdin.on('error', () => undefined)
    /** @type {Promise<string>} */
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code, name) => resolve(why || (name ?? `exit code ${code}`)))
    })
  }

  /** 0 where it could not be started; `ask` tells why. */
  get pid() {
    return this.#child.pid ?? 0
  }

  /**
   * One question at a time. Throws when the process ends instead of answering.
   *
   * @param {string} line
   * @returns {Promise<string>}
   */
  async ask(line) {
    this.#child.stdin.write(`${line}\n`)
    const { value, done } = await this.#lines.next()
    if (done !== true) return value
    throw new Error(`${this.#child.spawnargs.join(' ')} has ended: ${await this.#ended}`)
  }

  /** Safe to call twice. */
  async end() {
    this.#child.stdin.end()
    await this.#ended
  }
}
