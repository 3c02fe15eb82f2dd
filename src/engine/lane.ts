import { CgroupError, errnoName, errnoText, VmcgError } from '../errors'
import { type Batch, decodeResult, type OpResult } from './batch'
import { LanePort } from './lane-port'
import { native } from './native'

/** `fast` for what the kernel answers in micro- to milliseconds, `slow` for what can block long. */
export type Lane = 'fast' | 'slow'

export interface SubmitOptions {
  /** Takes back a batch that has not started; one that has started is awaited. Rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
  /** @default 'fast' */
  readonly lane?: Lane | undefined
}

/**
 * Runs a batch on a native thread of our own and resolves, in a turn of the event loop of its own, with one result per operation. Failed operations do not
 * reject: their errno is in the result.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for a batch that the addon finds malformed; `signal.reason` after an abort.
 */
export async function submit(batch: Batch, options: SubmitOptions = {}): Promise<readonly OpResult[]> {
  const { signal, lane = 'fast' } = options
  signal?.throwIfAborted()
  if (batch.length === 0) return []
  const packed = batch.pack()
  const port = ports[lane]
  const results = await new Promise<readonly OpResult[]>((resolve, reject) => {
    const onAbort = () => {
      if (port.takeBack(passage)) reject(signal?.reason)
    }
    const passage = {
      batch: packed,
      onDone: (result: ArrayBuffer) => {
        signal?.removeEventListener('abort', onAbort)
        resolve(decodeResult(packed.ops, result))
      },
      onRefused: (errno: number) => {
        signal?.removeEventListener('abort', onAbort)
        reject(malformed(batch, errno))
      },
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    port.send(passage)
  })
  signal?.throwIfAborted()
  return results
}

/** One event loop, one end of each lane. */
const ports: Readonly<Record<Lane, LanePort>> = { fast: new LanePort(0), slow: new LanePort(1) }

function malformed({ length }: Batch, errno: number): VmcgError {
  return new VmcgError(
    'ERR_VMCG_INVALID_ARGUMENT',
    `the addon refuses a batch of ${length} operations: ${errnoText(errno)}`,
  )
}

/** Directories that paths are looked up beneath, opened once each: the mount points of hierarchies, and /proc. */
export class Roots {
  readonly #ids = new Map<string, number>()
  #isClosed = false

  /** @throws the kernel's error, with the directory; `ERR_VMCG_CLOSED` after `close()`: nobody would close it again. */
  id(directory: string): number {
    if (this.#isClosed) {
      throw new VmcgError('ERR_VMCG_CLOSED', `${directory} is not opened any more: it was closed meanwhile`)
    }
    const known = this.#ids.get(directory)
    if (known !== undefined) return known
    const id = native().openRoot(directory)
    if (id < 0) {
      throw new CgroupError(errnoName(-id), `cannot open ${directory}: ${errnoText(-id)}`, {
        errno: id,
        syscall: 'open',
        path: directory,
      })
    }
    this.#ids.set(directory, id)
    return id
  }

  /** Safe to call twice. */
  close(): void {
    this.#isClosed = true
    for (const id of this.#ids.values()) native().closeRoot(id)
    this.#ids.clear()
  }
}
