import { checkActOptions } from './checked-options'
import { logDriver } from './driver-log'
import type { DestroyReport } from './engine/drain'
import type { Report } from './engine/report'
import { VmcgError } from './errors'
import type { Host } from './host/detect'
import { defaultLogger, type Logger } from './log'
import { short } from './model/quote'
import type { ActOptions, DestroyOptions } from './sandbox-options'
import { SandboxSession } from './sandbox-session'
import { destroy } from './session-leaving'
import { withMirror } from './session-mirror'
import type { HeldLock } from './state/lock'
import { type FreshState, SandboxStore } from './state/sandbox-store'
import { SerialQueue } from './state/serial-queue'
import { stateDirectoryOf } from './state/state-directory'
import type { SandboxState } from './state/state-file'

/** Options that every object with a state has. */
export interface GateOptions extends ActOptions {
  readonly stateDir?: string | undefined
  readonly lockTimeoutMs?: number | undefined
  readonly writeTimeoutMs?: number | undefined
  readonly logger?: Logger | undefined
  readonly mirror?: boolean | undefined
  /** Only take up what is there. @default false */
  readonly mustExist?: boolean | undefined
}

/** Which object it is: a sandbox with a leaf for vCPU threads, or a single cgroup. */
export interface GateKey extends Pick<SandboxState, 'driver' | 'parent' | 'id'>, FreshState {}

const DEFAULT_LOCK_TIMEOUT_MS = 10_000

/**
 * The way to a session: one call at a time, under the lock that other objects and processes respect, with the state
 * as it is on disk, and never after `close()`.
 */
export class SessionGate {
  readonly session: SandboxSession
  readonly log: Logger
  readonly #store: SandboxStore
  readonly #lockTimeoutMs: number
  readonly #queue = new SerialQueue()
  #isClosed = false

  private constructor(session: SandboxSession, store: SandboxStore, options: GateOptions) {
    this.session = session
    this.#store = store
    this.log = options.logger ?? defaultLogger()
    this.#lockTimeoutMs = options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS
  }

  /**
   * Takes up what is there of this id and parent, or begins a new one, under the lock. The state of a new one is written
   * when `begin` has gone through; when it throws, nothing is left behind.
   *
   * @param begin makes the object that stands on this gate.
   * @throws `ERR_VMCG_STATE`, also where another kind of object is at this place; `ERR_VMCG_BUSY`; what `begin` throws.
   */
  static async open<T>(
    host: Host,
    key: GateKey,
    options: GateOptions,
    begin: (gate: SessionGate) => Promise<T>,
  ): Promise<T> {
    const directory = stateDirectoryOf(options.stateDir)
    const store = new SandboxStore(directory, {
      driver: key.driver,
      parent: key.parent,
      id: key.id,
    })
    const timeoutMs = options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS
    return store.locked({ timeoutMs, signal: options.signal }, async (lock) => {
      const stored = await store.read()
      if (stored === undefined && options.mustExist === true) {
        // With what a crash has left of a state that was never in place.
        await store.remove(lock)
        throw notThere(key, directory)
      }
      if (stored !== undefined && stored.hasLeaf !== key.hasLeaf) throw otherKind(stored)
      const begun = stored === undefined ? store.fresh(key) : withTakenOver(stored, key.takenOver ?? [])
      const state = withMirror(begun, options.mirror)
      const session = new SandboxSession(host, store, state, options.writeTimeoutMs)
      try {
        await session.endStandstill()
        const gate = new SessionGate(session, store, options)
        logDriver(gate.log, state)
        const opened = await begin(gate)
        if (state !== stored) await store.write(session.state)
        session.rest()
        return opened
      } catch (error) {
        session.close()
        throw error
      }
    })
  }

  get isOpen(): boolean {
    return !this.#isClosed
  }

  /** @throws `ERR_VMCG_CLOSED` */
  refuseClosed(): void {
    if (this.#isClosed) {
      throw new VmcgError('ERR_VMCG_CLOSED', `${this.session.state.id} has been closed`, {
        hint: 'create() with the same id and parent takes it up again',
      })
    }
  }

  /** Behind the calls before it, with the state as it is on disk, but without the lock: for what only looks. */
  async look<T>(options: ActOptions, look: () => Promise<T>): Promise<T> {
    checkActOptions(options)
    this.refuseClosed()
    return this.#queued(async () => {
      await this.session.reload()
      return look()
    }, options.signal)
  }

  /** Under the lock, with the state as it is on disk. @throws `ERR_VMCG_DESTROYED` */
  async act<T>(options: ActOptions, act: () => Promise<T>): Promise<T> {
    checkActOptions(options)
    return this.#locked(options, async () => {
      await this.session.reload()
      await this.session.endStandstill()
      return act()
    })
  }

  /** Takes everything away; nothing to do where somebody has done so already. */
  async destroy(options: DestroyOptions): Promise<DestroyReport> {
    checkActOptions(options)
    const { processes = 'move', signal } = options
    if (processes !== 'move' && processes !== 'kill') throw unknownFate(processes)
    return this.#locked({ signal }, async (lock) => {
      const stored = await this.#store.read()
      if (stored?.nonce !== this.session.state.nonce) {
        return { sandbox: this.session.state.id, moved: [], removed: [], unlimited: [] }
      }
      await this.session.reload()
      await this.session.endStandstill()
      const report = await destroy(this.session, lock, { processes, signal })
      this.log.info(report, 'destroyed')
      return report
    })
  }

  /**
   * Refuses new calls at once, waits for those made before, then releases the descriptors and what `release` releases.
   * Safe to call twice.
   */
  close(release: () => Promise<void> = async () => undefined): Promise<void> {
    const isFirst = !this.#isClosed
    this.#isClosed = true
    return this.#queue.run(async () => {
      if (!isFirst) return
      this.session.close()
      await release()
    })
  }

  /** Logs what a report has to say, and gives it back. */
  reported(report: Report): Report {
    const { sandbox, isChanged, looks, placed, vanished } = report
    for (const warning of report.warnings) this.log.warn({ sandbox }, warning)
    for (const left of report.left) this.log.warn({ sandbox, ...left }, 'a thread could not be placed')
    this.log.debug({ sandbox, isChanged, looks, placed, vanished }, 'applied')
    return report
  }

  async #locked<T>({ signal }: ActOptions, act: (lock: HeldLock) => Promise<T>): Promise<T> {
    this.refuseClosed()
    const lock = { timeoutMs: this.#lockTimeoutMs, signal }
    return this.#queued(() => this.#store.locked(lock, act), signal)
  }

  #queued<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.#queue.run(() => work().finally(() => this.session.rest()), signal)
  }
}

/** With more cgroups taken over beside the first, or instead of those that nobody has made yet. */
function withTakenOver(state: SandboxState, ids: readonly string[]): SandboxState {
  const isAllOurs = state.takenOver.length === 0 && state.claimed.length > 0
  if (isAllOurs || ids.every((id) => state.takenOver.includes(id))) return state
  return {
    ...state,
    takenOver: [...new Set([...state.takenOver, ...ids])],
    claimed: [...new Set([...state.claimed, ...ids])],
  }
}

function notThere({ parent, id }: GateKey, directory: string): VmcgError {
  const path = parent === '/' ? `/${id}` : `${parent}/${id}`
  return new VmcgError(
    'ERR_VMCG_DESTROYED',
    `${path} is not there: ${directory} has no state of it; it was destroyed, or never made`,
    {
      path: directory,
      value: path,
      hint: 'make a new one with create(), or pass the parent and stateDir that it was made with',
    },
  )
}

function unknownFate(processes: unknown): VmcgError {
  return new VmcgError('ERR_VMCG_INVALID_ARGUMENT', "destroy takes processes: 'move' or 'kill'", {
    value: short(processes),
  })
}

function otherKind(stored: SandboxState): VmcgError {
  const kind = stored.hasLeaf ? 'a Sandbox' : 'a CgroupManager'
  return new VmcgError('ERR_VMCG_STATE', `${stored.parent}/${stored.id} is managed by ${kind} already`, {
    path: `${stored.parent}/${stored.id}`,
    hint: 'choose another id or path, or destroy the other one first',
  })
}
