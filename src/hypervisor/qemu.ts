import { setTimeout as sleep } from 'node:timers/promises'
import { isVmcgError, QmpError, VmcgError } from '../errors'
import { checkId, checkObject, checkSignal } from '../model/argument'
import type { Hypervisor, HypervisorCallOptions, HypervisorThreads } from './hypervisor'
import { hostTids, livingStartTime, viewProcess } from './process-threads'
import { parseCpus, parseCpusFast, parseIothreads } from './qemu-replies'
import { type QmpCallOptions, QmpClient, type QmpClientOptions } from './qmp-client'
import { QmpCommandError } from './qmp-errors'
import type { QmpEvent, QmpEventOptions } from './qmp-events'
import type { QmpObject } from './qmp-messages'

export interface QemuOptions extends QmpClientOptions {
  /**
   * QEMU's process id in this process's pid namespace. Default: the process that listens on the socket, which is
   * QEMU also where it was daemonised, or given a socket that another process made. It has to be passed where a proxy
   * listens in QEMU's place.
   */
  readonly pid?: number | undefined
}

/** How long a QEMU that hung up is given to end. */
const EXIT_MS = 1_000
const EXIT_POLL_MS = 10

/** Where the threads that QEMU reported were found. */
type Located =
  | { readonly kind: 'found'; readonly threads: HypervisorThreads }
  | { readonly kind: 'missing'; readonly thread: string }
  | { readonly kind: 'gone' }

/**
 * A running QEMU, asked over a QMP monitor that nobody else uses.
 *
 * The thread ids that QEMU reports are those of its own pid namespace. They become host tids by the `NSpid` lines
 * below `/proc/<pid>/task`, and what is not there is refused: a tid that is no thread of the VMM is some other
 * process's.
 */
export class QemuHypervisor implements Hypervisor {
  readonly name = 'qemu'
  readonly #qmp: QmpClient
  readonly #pid: number
  /** Tells this process from a later one with its pid; undefined when it had ended already at the first look. */
  readonly #startTime: number | undefined
  /** Nobody changes the pid namespace that a process is in. */
  readonly #isNested: boolean

  private constructor(qmp: QmpClient, pid: number) {
    const view = viewProcess(pid)
    if (view !== undefined && view.tgid !== pid) {
      throw wrongPid(
        qmp.path,
        `${pid} is no process but a thread of process ${view.tgid}`,
        `pass pid: ${view.tgid}`,
      )
    }
    this.#qmp = qmp
    this.#pid = pid
    this.#startTime = view?.startTime
    this.#isNested = view?.isNested === true
  }

  /**
   * Connects to QEMU's monitor and checks that its threads are those of the process.
   *
   * @throws QmpError what {@link QmpClient.connect} throws, and `ERR_VMCG_QMP_WRONG_PID` when a thread that QEMU
   * reports is none of the process's; VmcgError `ERR_VMCG_VM_GONE` when QEMU ends meanwhile,
   * `ERR_VMCG_INVALID_ARGUMENT` for a pid below 1, and for options of the wrong type; `signal.reason` when aborted
   */
  static async connect(options: QemuOptions): Promise<QemuHypervisor> {
    checkObject('options', options)
    checkSignal(options.signal)
    const { pid, signal } = options
    if (pid !== undefined) checkId('a pid', pid)
    const qmp = await QmpClient.connect(options)
    try {
      const hypervisor = new QemuHypervisor(qmp, pid ?? listenerOf(qmp))
      await hypervisor.threads({ signal })
      return hypervisor
    } catch (error) {
      await qmp.close()
      throw error
    }
  }

  pid(): number {
    return this.#pid
  }

  /**
   * The vCPUs' and iothreads' host tids, now.
   *
   * @throws VmcgError `ERR_VMCG_VM_GONE` when QEMU has ended; QmpError `ERR_VMCG_QMP_WRONG_PID` when a reported
   * thread is none of the process's, `ERR_VMCG_QMP_…` when QEMU cannot be asked; `signal.reason` when aborted
   */
  async threads(options: HypervisorCallOptions = {}): Promise<HypervisorThreads> {
    checkObject('options', options)
    checkSignal(options.signal)
    const first = this.#locate(await this.#ask(options))
    if (first.kind === 'found') return first.threads
    // A vCPU that was unplugged after the answer is missing as well, and the next answer does not name it any more.
    const second = this.#locate(await this.#ask(options))
    if (second.kind === 'found') return second.threads
    if (first.kind === 'gone') {
      // Nobody ends first and answers later.
      throw this.#wrongPid(`process ${this.#pid} has ended, and yet QEMU answers`)
    }
    if (second.kind === 'gone') throw this.#gone()
    throw this.#wrongPid(`${second.thread} is no thread of process ${this.#pid}`)
  }

  /**
   * Any other command over the same connection, such as `device_add` of a vCPU.
   *
   * @throws as {@link QmpClient.execute}
   */
  execute(command: string, args?: QmpObject, options?: QmpCallOptions): Promise<unknown> {
    return this.#qmp.execute(command, args, options)
  }

  /** QEMU's events from now on; see {@link QmpClient.events}. */
  events(options?: QmpEventOptions): AsyncIterableIterator<QmpEvent> {
    return this.#qmp.events(options)
  }

  close(): Promise<void> {
    return this.#qmp.close()
  }

  /** Thread ids as QEMU itself knows them. */
  async #ask({ signal }: HypervisorCallOptions): Promise<HypervisorThreads> {
    try {
      const [vcpus, iothreads] = await Promise.all([
        askVcpus(this.#qmp, signal),
        askIothreads(this.#qmp, signal),
      ])
      return { vcpus, iothreads }
    } catch (error) {
      const isClosed = isVmcgError(error) && error.code === 'ERR_VMCG_QMP_CLOSED'
      if (isClosed && (await this.#hasEnded(signal))) throw this.#gone(error)
      throw error
    }
  }

  /** A QEMU that quits closes its monitors some time before its process ends; a killed one is gone at once. */
  async #hasEnded(signal: AbortSignal | undefined): Promise<boolean> {
    const deadline = Date.now() + (this.#qmp.hasHungUp ? EXIT_MS : 0)
    while (this.#isAlive) {
      if (Date.now() >= deadline) return false
      await sleep(EXIT_POLL_MS)
      signal?.throwIfAborted()
    }
    return true
  }

  #locate({ vcpus, iothreads }: HypervisorThreads): Located {
    const wanted = new Set([...vcpus.values(), ...iothreads.values()])
    if (wanted.size === 0 && !this.#isAlive) return { kind: 'gone' }
    const tids = hostTids(this.#pid, wanted, this.#isNested)
    const threads = { vcpus: new Map<number, number>(), iothreads: new Map<string, number>() }
    for (const [index, own] of vcpus) {
      const tid = tids.get(own)
      if (tid === undefined) return this.#missing(`thread ${own} of vCPU ${index}`)
      threads.vcpus.set(index, tid)
    }
    for (const [id, own] of iothreads) {
      const tid = tids.get(own)
      if (tid === undefined) return this.#missing(`thread ${own} of iothread ${id}`)
      threads.iothreads.set(id, tid)
    }
    return { kind: 'found', threads }
  }

  #missing(thread: string): Located {
    return this.#isAlive ? { kind: 'missing', thread } : { kind: 'gone' }
  }

  get #isAlive(): boolean {
    return this.#startTime !== undefined && livingStartTime(this.#pid) === this.#startTime
  }

  #gone(cause?: unknown): VmcgError {
    return new VmcgError('ERR_VMCG_VM_GONE', `QEMU (process ${this.#pid}) has ended`, {
      path: this.#qmp.path,
      cause,
    })
  }

  #wrongPid(fault: string): QmpError {
    const hint =
      this.#pid === this.#qmp.peerPid
        ? `process ${this.#pid} listens on the socket but is not QEMU, perhaps a proxy: pass QEMU's own pid`
        : "pass QEMU's own pid, not that of a process that started it"
    return wrongPid(this.#qmp.path, fault, hint)
  }
}

async function askVcpus(qmp: QmpClient, signal: AbortSignal | undefined): Promise<Map<number, number>> {
  try {
    return parseCpusFast(await qmp.execute('query-cpus-fast', undefined, { signal }))
  } catch (error) {
    if (!isCommandNotFound(error)) throw error
    return parseCpus(await qmp.execute('query-cpus', undefined, { signal }))
  }
}

async function askIothreads(qmp: QmpClient, signal: AbortSignal | undefined): Promise<Map<string, number>> {
  try {
    return parseIothreads(await qmp.execute('query-iothreads', undefined, { signal }))
  } catch (error) {
    if (!isCommandNotFound(error)) throw error
    return new Map()
  }
}

function isCommandNotFound(error: unknown): boolean {
  return error instanceof QmpCommandError && error.class === 'CommandNotFound'
}

function listenerOf(qmp: QmpClient): number {
  if (qmp.peerPid > 0) return qmp.peerPid
  // The kernel gives 0 for a process outside of the asker's pid namespace.
  throw wrongPid(
    qmp.path,
    'the process that listens cannot be seen from this pid namespace',
    'run where QEMU can be seen: in its pid namespace, or in one around it',
  )
}

function wrongPid(path: string, fault: string, hint: string): QmpError {
  return new QmpError('ERR_VMCG_QMP_WRONG_PID', `cannot tell QEMU's threads on ${path}: ${fault}`, {
    path,
    hint,
  })
}
