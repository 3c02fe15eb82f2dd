import { isVmcgError, type VmcgError } from './errors'
import { isSameProcess } from './host/origins'
import { readStates } from './state/read-states'
import { stateDirectoryOf } from './state/state-directory'
import type { SandboxState } from './state/state-file'

export interface ListOptions {
  /** The state directory to look into. @default '/run/vmcg', `$XDG_RUNTIME_DIR/vmcg` for other users */
  readonly stateDir?: string | undefined
}

/** One sandbox with a state on disk, as it was last written. */
export interface ListedSandbox {
  readonly id: string
  readonly parent: string
  readonly driver: 'cgroupfs' | 'systemd'
  /**
   * The VMM that was attached last; null: none. It has ended when it is not alive, also if its pid is somebody's again.
   */
  readonly vmm: { readonly pid: number; readonly isAlive: boolean } | null
  /** Whether an `apply()` has gone through. */
  readonly isApplied: boolean
  readonly error?: undefined
}

/** A state that cannot be told: a damaged file, or a newer vmcg's. Whether it is a sandbox's is not known either. */
export interface UnreadableState {
  /** `ERR_VMCG_STATE`; its `path` is the file. */
  readonly error: VmcgError
}

/** The sandboxes by parent and id, then what cannot be read, by file. */
export async function listSandboxes(
  options: ListOptions,
): Promise<readonly (ListedSandbox | UnreadableState)[]> {
  const states = await readStates(stateDirectoryOf(options.stateDir))
  const sandboxes = states.flatMap((state) =>
    isVmcgError(state) || !state.hasLeaf ? [] : [Object.freeze(listed(state))],
  )
  const unreadable = states.flatMap((state) => (isVmcgError(state) ? [Object.freeze({ error: state })] : []))
  return [...sandboxes.sort((a, b) => compare(a.parent, b.parent) || compare(a.id, b.id)), ...unreadable]
}

function listed({ id, parent, driver, processes, applied }: SandboxState): ListedSandbox {
  const vmm = processes.find(({ role }) => role === 'vmm')
  return {
    id,
    parent,
    driver,
    vmm: vmm === undefined ? null : Object.freeze({ pid: vmm.pid, isAlive: isSameProcess(vmm) }),
    isApplied: applied !== null,
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
