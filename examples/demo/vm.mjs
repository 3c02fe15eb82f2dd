import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isVmcgError, QemuHypervisor } from 'vmcg'
import { Failure } from './failures.mjs'

/** @import { ChildProcess } from 'node:child_process' */
/** @import { Vmm } from './choose-vmm.mjs' */

/** Long, for a QEMU that is emulated where the CPUs are emulated too. One that ends meanwhile is told of at once. */
const START_TIMEOUT_MS = 60_000
const POLL_MS = 20
/** A connection that breaks is seen a little before the end of the process that broke it. */
const EXIT_NEWS_MS = 200
const LAST_LINES = 10
/** What a connection meets before the VMM listens. */
const NOT_YET = ['ERR_VMCG_QMP_NO_SOCKET', 'ERR_VMCG_QMP_REFUSED']

/** A VMM that this process has started. What it prints goes to a file, and is shown only when it ends unasked. */
export class Vm {
  /** @type {ChildProcess} */
  #child
  #name
  #log

  /**
   * @param {Vmm} vmm
   * @param {string} dir for its log
   */
  constructor(vmm, dir) {
    this.#name = vmm.name
    this.#log = join(dir, 'vmm.log')
    const log = openSync(this.#log, 'w')
    // Detached: Ctrl-C in a terminal reaches only the demo, which takes things down in their order.
    this.#child = spawn(vmm.program, vmm.args, { stdio: ['ignore', log, log], detached: true })
    closeSync(log)
    this.#child.on('error', () => {
      // The program does not start: it has no pid then, which counts as ended.
    })
  }

  get pid() {
    return this.#child.pid ?? 0
  }

  /**
   * Connects to its monitor as soon as it listens.
   *
   * @param {string} socket
   * @param {AbortSignal} signal
   * @returns {Promise<QemuHypervisor>}
   */
  async connect(socket, signal) {
    const deadline = performance.now() + START_TIMEOUT_MS
    for (;;) {
      try {
        return await QemuHypervisor.connect({ socket, pid: this.pid, timeoutMs: START_TIMEOUT_MS, signal })
      } catch (error) {
        const isEarly = isVmcgError(error) && NOT_YET.includes(error.code)
        if (!isEarly || this.#hasEnded || performance.now() > deadline) {
          throw (await this.obituary(signal)) ?? error
        }
        await sleep(POLL_MS, undefined, { signal })
      }
    }
  }

  /**
   * Whether the VMM's end explains a failure: what fails first is most often something that asked it.
   *
   * @param {AbortSignal} signal
   * @returns {Promise<Failure | undefined>} how it ended, with the last lines it printed; undefined while it runs
   */
  async obituary(signal) {
    const deadline = performance.now() + EXIT_NEWS_MS
    while (!this.#hasEnded && !signal.aborted && performance.now() < deadline) await sleep(POLL_MS)
    if (!this.#hasEnded) return undefined
    const { exitCode, signalCode } = this.#child
    const lines = readFileSync(this.#log, 'utf8').trimEnd().split('\n').slice(-LAST_LINES)
    const end = signalCode ?? (exitCode === null ? 'it did not start' : `exit code ${exitCode}`)
    return new Failure([`${this.#name} has ended: ${end}`, ...lines].join('\n  '), 1)
  }

  /**
   * Kills it, and waits until it has ended.
   *
   * @returns {Promise<boolean>} false when it had ended before
   */
  async stop() {
    if (this.#hasEnded) return false
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
    return true
  }

  get #hasEnded() {
    const { pid, exitCode, signalCode } = this.#child
    return pid === undefined || exitCode !== null || signalCode !== null
  }
}
