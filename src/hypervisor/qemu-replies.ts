import { QmpError } from '../errors'
import { isObject } from './qmp-messages'

/**
 * vCPUs from the answer to `query-cpus-fast`: cpu index → thread id, in QEMU's pid namespace.
 *
 * The thread is the entry's own `thread-id`; the member of the same name inside `props` is the CPU's place in the
 * guest's topology.
 *
 * @throws QmpError `ERR_VMCG_QMP_PROTOCOL` for an answer of another shape
 */
export function parseCpusFast(reply: unknown): Map<number, number> {
  return threadsById(reply, 'query-cpus-fast', 'cpu-index', 'thread-id', isIndex)
}

/**
 * The same from `query-cpus`, which QEMU had before 2.12 and dropped in 6.0.
 *
 * @throws QmpError `ERR_VMCG_QMP_PROTOCOL` for an answer of another shape
 */
export function parseCpus(reply: unknown): Map<number, number> {
  return threadsById(reply, 'query-cpus', 'CPU', 'thread_id', isIndex)
}

/**
 * Iothreads from the answer to `query-iothreads`: id → thread id, in QEMU's pid namespace.
 *
 * @throws QmpError `ERR_VMCG_QMP_PROTOCOL` for an answer of another shape
 */
export function parseIothreads(reply: unknown): Map<string, number> {
  return threadsById(reply, 'query-iothreads', 'id', 'thread-id', isText)
}

function threadsById<Id>(
  reply: unknown,
  command: string,
  idKey: string,
  threadKey: string,
  isId: (value: unknown) => value is Id,
): Map<Id, number> {
  if (!Array.isArray(reply)) throw wrongShape(command, 'is no list', reply)
  const threads = new Map<Id, number>()
  for (const entry of reply) {
    if (!isObject(entry)) throw wrongShape(command, 'has an entry that is no object', entry)
    const { [idKey]: id, [threadKey]: thread } = entry
    if (!isId(id)) throw wrongShape(command, `has an entry without a usable ${idKey}`, entry)
    if (!isInteger(thread)) throw wrongShape(command, `has an entry without a usable ${threadKey}`, entry)
    // QEMU says 0 or -1 for a vCPU that has no thread; to the kernel a written 0 would mean the writer itself.
    if (thread > 0) threads.set(id, thread)
  }
  return threads
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function isIndex(value: unknown): value is number {
  return isInteger(value) && value >= 0
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function wrongShape(command: string, fault: string, value: unknown): QmpError {
  return new QmpError('ERR_VMCG_QMP_PROTOCOL', `the answer to ${command} ${fault}`, {
    value: JSON.stringify(value),
  })
}
