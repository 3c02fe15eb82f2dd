import { errnoText, VmcgError } from '../errors'
import { type Batch, decodeResult, type OpResult } from './batch'
import { native } from './native'

export { Roots } from './roots'

/** `fast` for what the kernel answers in micro- to milliseconds, `slow` for what can block long. */
export type Lane = 'fast' | 'slow'

export interface SubmitOptions {
  /** Takes back a batch that has not started; one that has started is awaited. Rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
  /** @default 'fast' */
  readonly lane?: Lane | undefined
}

/**
 * Runs a batch on a native thread of our own and resolves with one result per operation. Failed operations do not
 * reject: their errno is in the result.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for a batch that the addon finds malformed; `signal.reason` after an abort.
 */
export async function submit(batch: Batch, options: SubmitOptions = {}): Promise<readonly OpResult[]> {
  const { signal, lane = 'fast' } = options
  signal?.throwIfAborted()
  if (batch.length === 0) return []
  const { ops, strings, ids } = batch.pack()
  const results = await new Promise<readonly OpResult[]>((resolve, reject) => {
    const onAbort = () => {
      if (native().cancelBatch(ticket)) reject(signal?.reason)
    }
    const ticket = native().submitBatch(lane === 'fast' ? 0 : 1, ops, strings, ids, (result) => {
      signal?.removeEventListener('abort', onAbort)
      resolve(decodeResult(ops, result))
    })
    if (ticket < 0) {
      reject(
        new VmcgError(
          'ERR_VMCG_INVALID_ARGUMENT',
          `the addon refuses a batch of ${batch.length} operations: ${errnoText(-ticket)}`,
        ),
      )
      return
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
  signal?.throwIfAborted()
  return results
}
