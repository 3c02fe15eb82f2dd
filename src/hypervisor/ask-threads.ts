import { types } from 'node:util'
import { VmcgError } from '../errors'
import { quote, short } from '../model/quote'
import type { Hypervisor, HypervisorCallOptions, HypervisorThreads } from './hypervisor'

/**
 * Asks a hypervisor for its threads. It may be anybody's code, so an abort is not left to it: one that never answers
 * would keep the sandbox's lock for ever.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for an answer of another shape; `signal.reason` after an abort; what the
 *   hypervisor throws.
 */
export async function askThreads(
  hypervisor: Hypervisor,
  { signal }: HypervisorCallOptions,
): Promise<HypervisorThreads> {
  signal?.throwIfAborted()
  const answer = await untilAborted(Promise.resolve(hypervisor.threads({ signal })), signal)
  for (const role of ['vcpus', 'iothreads'] as const) {
    const threads: unknown = Reflect.get(Object(answer), role)
    if (!types.isMap(threads)) throw wrongAnswer(hypervisor, `no Map of ${role}, but`, threads)
    for (const [id, tid] of threads) {
      if (!Number.isSafeInteger(tid))
        throw wrongAnswer(hypervisor, `as thread of ${quote(id)} of ${role}`, tid)
    }
  }
  return answer
}

function untilAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return answer
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    // Whoever was asked may have aborted it, and never answer.
    if (signal.aborted) giveUp()
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}

function wrongAnswer({ name }: Hypervisor, what: string, value: unknown): VmcgError {
  return new VmcgError(
    'ERR_VMCG_INVALID_ARGUMENT',
    `the hypervisor ${quote(name)} answers ${what} ${quote(value)}`,
    {
      value: short(value),
      hint: 'threads() resolves with { vcpus: Map of cpu index to tid, iothreads: Map of id to tid }',
    },
  )
}
