import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Roots } from '../../src/engine/lane'
import type { Host } from '../../src/host/detect'
import type { Hierarchy } from '../../src/host/hierarchies'
import { sandboxPaths } from '../../src/plan/desired'
import { type ScopedSession, startScope } from '../../src/session-scope'
import { SandboxStore } from '../../src/state/sandbox-store'
import type { SandboxState, ScopeState } from '../../src/state/state-file'
import { FakeSystemd } from './fake-systemd'
import { closeUnits, openUnits } from './open-units'

export const PID = 4711
export const UNIT = 'vmcg-vm1.scope'
export const SCOPE = `/system.slice/${UNIT}`

export const INTENT: ScopeState = {
  slice: 'system.slice',
  unit: UNIT,
  description: 'vmcg sandbox vm1',
  path: SCOPE,
  hierarchies: [],
  invocationId: null,
}

export function hierarchy(
  id: string,
  version: 1 | 2,
  controllers: readonly string[],
  mountPoint = '/sys/fs/cgroup',
): Hierarchy {
  return { id, version, controllers, mountPoint, mountRoot: '/', isReadOnly: false }
}

/** A systemd that the test plays, and as much of a session as stands behind a unit, on cgroups in a directory. */
export class ScopeBench {
  readonly systemd: FakeSystemd
  readonly mountPoint = mkdtempSync(join(tmpdir(), 'vmcg-test-scope-'))

  private constructor(systemd: FakeSystemd) {
    this.systemd = systemd
  }

  static async open(): Promise<ScopeBench> {
    const systemd = await FakeSystemd.onBus()
    systemd.addProcess(PID)
    return new ScopeBench(systemd)
  }

  session(changes: Partial<SandboxState> = {}, controllers: readonly string[] = []): ScopedSession {
    const { systemd } = this
    const where = { driver: 'systemd', parent: 'system.slice:vmcg', id: 'vm1' } as const
    const fresh = new SandboxStore(join(this.mountPoint, 'state'), where).fresh({
      hasLeaf: true,
      scope: INTENT,
    })
    let state: SandboxState = { ...fresh, nonce: 'nonce-of-vm1', scope: INTENT, ...changes }
    const hierarchies = [hierarchy('unified', 2, controllers, this.mountPoint)]
    const host: Host = {
      layout: 'v2',
      hierarchies,
      controller: (name) => hierarchies.find((each) => each.controllers.includes(name)),
      kernel: '6.1.0',
      isRoot: true,
    }
    return {
      host,
      roots: new Roots(),
      get state() {
        return state
      },
      get paths() {
        return sandboxPaths(state)
      },
      systemdUnits: () => openUnits(systemd),
      save: async (saved) => {
        state = { ...state, ...saved }
      },
      executor: () => async () => [],
    }
  }

  /** A session whose unit runs. */
  async started(changes: Partial<SandboxState> = {}): Promise<ScopedSession> {
    const session = this.session(changes)
    await this.start(session)
    return session
  }

  start(session: ScopedSession): Promise<void> {
    return startScope(session, PID, {})
  }

  async clear(): Promise<void> {
    closeUnits()
    await this.systemd.close()
    rmSync(this.mountPoint, { recursive: true })
  }
}
