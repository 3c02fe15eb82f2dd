import { errnoText, VmcgError } from '../errors'
import { type Batch, decodeResult, type OpResult } from './batch'
import { LanePort } from './lane-port'

export { Roots } from './roots'

/**
 * `fast` for what the kernel answers in micro- to milliseconds, `slow` for what can block long, `files` for what waits
 * for a disk.
 */
export type Lane = 'fast' | 'slow' | 'files'

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
const ports: Readonly<Record<Lane, LanePort>> = {
  fast: new LanePort(0),
  slow: new LanePort(1),
  files: new LanePort(2),
}

function malformed({ length }: Batch, errno: number): VmcgError {
  return new VmcgError(
    'ERR_VMCG_INVALID_ARGUMENT',
    `the addon refuses a batch of ${length} operations: ${errnoText(errno)}`,
  )
}
