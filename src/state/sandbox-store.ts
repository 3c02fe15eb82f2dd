import { randomBytes } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { VmcgError } from '../errors'
import type { TagAttribute } from '../plan/operations'
import type { HeldLock, LockOptions } from './lock'
import { takeLock } from './lock'
import { prepareStateDirectory } from './state-directory'
import {
  readState,
  removeState,
  type SandboxState,
  type ScopeState,
  type StatePaths,
  statePaths,
  writeState,
} from './state-file'

/** What a new state begins with, beside where it is. */
export interface FreshState {
  readonly hasLeaf: boolean
  /** @default 'trusted.vmcg' */
  readonly tagAttribute?: TagAttribute | undefined
  /** @default none */
  readonly takenOver?: readonly string[] | undefined
  /** The unit that systemd is to make. @default none */
  readonly scope?: ScopeState | null | undefined
}

/** The state of one sandbox on disk, and the lock that goes with it. */
export class SandboxStore {
  readonly #where: Pick<SandboxState, 'driver' | 'parent' | 'id'>
  readonly #paths: StatePaths
  #overdue: Promise<unknown> | undefined
  /** Whether there is a state, as it was last seen while the lock was held; undefined: nobody has looked. */
  #isThere: boolean | undefined

  /** @throws `ERR_VMCG_STATE` for a directory that cannot be made or that others could write to. */
  constructor(directory: string, where: Pick<SandboxState, 'driver' | 'parent' | 'id'>) {
    prepareStateDirectory(directory)
    this.#where = where
    this.#paths = statePaths(directory, where)
  }

  /**
   * Runs `act` while no other object, worker or process works on this sandbox. Where there is no state afterwards, the
   * sandbox was destroyed or never begun, and the lock's file goes too.
   *
   * @throws `ERR_VMCG_BUSY` naming the holder when the lock is not free in time; what `act` throws.
   */
  async locked<T>(options: LockOptions, act: (lock: HeldLock) => Promise<T>): Promise<T> {
    const lock = await takeLock(this.#paths.lock, options)
    this.#isThere = undefined
    const letGo = () => {
      this.#isThere ??= existsSync(this.#paths.state)
      if (!this.#isThere) lock.removeFile()
      lock.release()
    }
    try {
      return await act(lock)
    } finally {
      const overdue = this.#overdue
      this.#overdue = undefined
      if (overdue === undefined) letGo()
      else void overdue.then(letGo, letGo)
    }
  }

  /** Keeps the lock that is held for work that goes on after its caller was told that it takes too long. */
  keepLockedUntil(work: Promise<unknown>): void {
    this.#overdue = work
  }

  /**
   * @returns undefined where there is none, because the sandbox is new or was destroyed.
   * @throws `ERR_VMCG_STATE` as reading does, and for a state of another sandbox: it would lead to that one's cgroups.
   */
  async read(): Promise<SandboxState | undefined> {
    const state = await readState(this.#paths.state)
    this.#isThere = state !== undefined
    if (state === undefined) return undefined
    const { driver, parent, id } = this.#where
    if (state.driver === driver && state.parent === parent && state.id === id) return state
    const path = this.#paths.state
    throw new VmcgError(
      'ERR_VMCG_STATE',
      `${path} is the state of another cgroup: ${state.id} in ${state.parent}`,
      {
        path,
        hint: `it was copied or renamed; look at it, and remove it: cat ${path}`,
      },
    )
  }

  async write(state: SandboxState): Promise<void> {
    await writeState(this.#paths.state, state)
    this.#isThere = true
  }

  /** Where the sockets of a VMM that was launched are; it need not exist. */
  get socketDirectory(): string {
    return this.#paths.sockets
  }

  /** Where a process that is launched waits until its unit has been made. */
  get doorPath(): string {
    return `${this.#paths.sockets}.wait`
  }

  /** Removes the state and the sockets, and the lock's file with them. Only while the lock is held. */
  async remove(lock: HeldLock): Promise<void> {
    await removeState(this.#paths.state)
    this.#isThere = false
    for (const path of [this.#paths.sockets, this.doorPath]) rmSync(path, { recursive: true, force: true })
    lock.removeFile()
  }

  /** The state of a sandbox that nothing was done for yet, with a nonce of its own. */
  fresh({ hasLeaf, tagAttribute = 'trusted.vmcg', takenOver = [], scope = null }: FreshState): SandboxState {
    const nonce = randomBytes(16).toString('hex')
    return {
      schema: 1,
      ...this.#where,
      ...(scope !== null && { scope: { ...scope, description: describedBy(nonce, scope.description) } }),
      hasLeaf,
      tagAttribute,
      nonce,
      containers: [],
      merge: { unlimited: 'ignore', memoryOverheadBytes: null, unsupported: 'error' },
      applied: null,
      // What is taken over has been made already, and is ours from now on.
      claimed: takenOver,
      takenOver,
      managed: [],
      processes: [],
      threads: [],
      devices: [],
      standstill: null,
      program: null,
    }
  }
}

/** Two state directories can have the same name for a unit: its description tells them apart, where nothing else does yet. */
function describedBy(nonce: string, description: string): string {
  return `${description} (${nonce.slice(0, 8)})`
}
