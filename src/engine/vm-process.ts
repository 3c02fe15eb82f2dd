import { Socket } from 'node:net'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { errnoName, errnoText, VmcgError } from '../errors'
import { badArgument } from '../model/argument'
import { native } from './native'

/** How a process ended: `code` is null when a signal ended it, `signal` when it exited. */
export interface VmExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/**
 * A process that `launch()` has started. Like a child of `node:child_process` it keeps Node from exiting until it has
 * ended, unless `unref()` was called, and outlives Node when that ends all the same.
 */
export interface VmProcess {
  readonly pid: number
  /** Our end of its standard input; null unless that is a pipe. */
  readonly stdin: Writable | null
  /** To be read, or the process blocks once the pipe is full. What nobody has begun to read when it ends is dropped. */
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  /** Resolves when it has ended and was collected. Never rejects. */
  readonly exited: Promise<VmExit>
  /**
   * Sends a signal to this process, and never to another one that has its pid later. @default 'SIGTERM'
   *
   * @returns false when it has ended already.
   * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no signal; `EPERM`.
   */
  kill(signal?: NodeJS.Signals | number): boolean
  ref(): void
  unref(): void
}

/** Descriptors of pipes; −1 for none. */
interface Pipes {
  readonly stdin: number
  readonly stdout: number
  readonly stderr: number
}

const ESRCH = 3

export class LaunchedProcess implements VmProcess {
  readonly pid: number
  readonly stdin: Socket | null
  readonly stdout: Socket | null
  readonly stderr: Socket | null
  readonly exited: Promise<VmExit>
  readonly #ticket: number

  /** @param ended resolves with the code and the signal that the addon reports. */
  constructor(
    ticket: number,
    pid: number,
    pipes: Pipes,
    ended: Promise<{ readonly code: number; readonly signal: number }>,
  ) {
    this.#ticket = ticket
    this.pid = pid
    this.stdin = pipes.stdin < 0 ? null : new Socket({ fd: pipes.stdin, readable: false, writable: true })
    const [stdout, stderr] = [pipes.stdout, pipes.stderr].map((fd) =>
      fd < 0 ? null : new Socket({ fd, readable: true, writable: false }),
    )
    this.stdout = stdout ?? null
    this.stderr = stderr ?? null
    this.exited = ended.then(({ code, signal }) => {
      this.stdin?.destroy()
      return signal === 0 ? { code, signal: null } : { code: null, signal: signalName(signal) }
    })
  }

  /**
   * Once it has ended, drops what nobody has begun to read, so that its pipes are closed. To be called when the caller
   * has it: whoever gets it, or awaits `exited`, can still begin to read in the same turn.
   */
  dropUnread(): void {
    void this.exited.then(() => {
      setImmediate(() => {
        for (const stream of [this.stdout, this.stderr]) {
          if (stream?.readableFlowing === null && stream.listenerCount('readable') === 0) stream.resume()
        }
      })
    })
  }

  kill(signal: NodeJS.Signals | number = 'SIGTERM'): boolean {
    const answer = native().signalChild(this.#ticket, signalNumber(signal))
    if (answer === 0) return true
    if (answer === -ESRCH) return false
    throw new VmcgError(errnoName(-answer), `cannot signal process ${this.pid}: ${errnoText(-answer)}`, {
      errno: answer,
      syscall: 'kill',
      value: String(signal),
    })
  }

  ref(): void {
    native().holdChild(this.#ticket, true)
  }

  unref(): void {
    native().holdChild(this.#ticket, false)
  }
}

const LARGEST_SIGNAL = 64

function signalNumber(signal: NodeJS.Signals | number): number {
  const number = typeof signal === 'number' ? signal : constants.signals[signal]
  if (Number.isInteger(number) && number >= 0 && number <= LARGEST_SIGNAL) return number
  throw badArgument('signal', "the name or number of a signal, such as 'SIGTERM'", signal)
}

function signalName(number: number): NodeJS.Signals {
  const known = Object.entries(constants.signals).find(([, other]) => other === number)
  // Real-time signals have no names of their own in Node.
  return (known?.[0] ?? `SIG${number}`) as NodeJS.Signals
}
