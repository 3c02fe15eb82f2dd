import { Batch, type OpResult, resultText } from '../engine/batch'
import { type Roots, type SubmitOptions, submit } from '../engine/lane'
import { OpCode } from '../engine/native'

/** The parent of every thread of the kernel's own. */
const KTHREADD = 2

/**
 * The kernel's own threads that work for a VMM, and are none of its threads: `vhost-<pid>` before Linux 6.4, which moves
 * the guest's packets, and `kvm-pit/<pid>`. Some are born where the VMM was, others in the root.
 *
 * @returns Their pids, ascending. None where the kernel does not list its threads (CONFIG_PROC_CHILDREN), and none in a
 *   pid namespace other than the host's, where they cannot be seen.
 *
 * Source: drivers/vhost/vhost.c of Linux 6.1, vhost_dev_set_owner; arch/x86/kvm/i8254.c, kvm_create_pit.
 */
export async function kernelThreadsOf(
  roots: Roots,
  pid: number,
  options: SubmitOptions = {},
): Promise<readonly number[]> {
  const root = roots.id('/proc')
  const list = new Batch()
  list.add(OpCode.Read, root, `${KTHREADD}/task/${KTHREADD}/children`)
  const [children] = await submit(list, options)
  const threads = textOf(children).split(' ').filter(Boolean)
  const names = new Batch()
  for (const thread of threads) {
    names.nextGroup()
    names.add(OpCode.Read, root, `${thread}/comm`)
  }
  if (threads.length === 0) return []
  const results = await submit(names, options)
  const wanted = [`vhost-${pid}`, `kvm-pit/${pid}`]
  return threads.filter((_, index) => wanted.includes(textOf(results[index]))).map(Number)
}

/**
 * Whether a VMM can be given more of these threads while it runs, as vhost devices are added to it. Linux 6.4 has made
 * them threads of the VMM's own.
 *
 * @param kernel the release, such as `'6.1.0-18-amd64'`.
 *
 * Source: kernel/vhost_task.c; drivers/vhost/vhost.c, vhost_worker_create.
 */
export function givesKernelThreads(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number)
  return major < 6 || (major === 6 && minor < 4)
}

function textOf(result: OpResult | undefined): string {
  return result === undefined || result.errno !== 0 ? '' : resultText(result).trimEnd()
}
