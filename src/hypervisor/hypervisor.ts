import { badArgument, hasMethods } from '../model/argument'

/** The threads of a running VM that have a role of their own, by the ids the host's kernel knows them by. */
export interface HypervisorThreads {
  /**
   * cpu index → host tid. Gaps are normal after a hot-unplug; several vCPUs may share one thread (TCG `thread=single`).
   */
  readonly vcpus: ReadonlyMap<number, number>
  /** iothread id → host tid. */
  readonly iothreads: ReadonlyMap<string, number>
}

export interface HypervisorCallOptions {
  readonly signal?: AbortSignal | undefined
}

/** What vmcg asks of a VMM. `QemuHypervisor` is one; any object of this shape will do. */
export interface Hypervisor {
  /** For messages, such as `'qemu'`. */
  readonly name: string
  /** The VMM's process id in this process's pid namespace. */
  pid(): number
  /**
   * Asks which threads run what, now.
   * Rejects with `ERR_VMCG_VM_GONE` when the VMM has ended, and with `ERR_VMCG_QMP_…` when it cannot be asked. A tid of
   * 0 or less is a vCPU without a thread; an answer of another shape is refused with `ERR_VMCG_INVALID_ARGUMENT`.
   */
  threads(options?: HypervisorCallOptions): Promise<HypervisorThreads>
  /** Releases the connection. The VM goes on. Safe to call twice. */
  close(): Promise<void>
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what cannot be asked. */
export function checkHypervisor(hypervisor: Hypervisor): void {
  if (hasMethods(hypervisor, ['pid', 'threads', 'close'])) return
  throw badArgument(
    'a hypervisor',
    'an object with name, pid(), threads() and close()',
    hypervisor,
    'pass what QemuHypervisor.connect() resolves with, or an object of your own',
  )
}
