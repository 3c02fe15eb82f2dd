import type { Roots } from './engine/roots'
import type { Host } from './host/detect'
import { StatsMeter } from './host/stats-meter'
import type { SandboxPaths } from './plan/desired'
import type { SandboxState } from './state/state-file'

/** The meter of a session, which is made when figures are first read, and anew when its hierarchies have changed. */
export class SessionMeter {
  #meter: StatsMeter | undefined
  #claimed: readonly string[] = []

  current(host: Host, roots: Roots, paths: SandboxPaths, state: SandboxState): StatsMeter {
    if (this.#meter !== undefined && sameNames(this.#claimed, state.claimed)) return this.#meter
    this.#meter?.close()
    this.#claimed = state.claimed
    const cpu = host.controller('cpu')
    this.#meter = new StatsMeter(roots, {
      paths,
      hierarchies: host.hierarchies.filter(({ id }) => state.claimed.includes(id)),
      roles: state.hasLeaf && cpu !== undefined ? { cpu, cpuacct: host.controller('cpuacct') } : undefined,
    })
    return this.#meter
  }

  close(): void {
    this.#meter?.close()
    this.#meter = undefined
  }
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((name, index) => name === b[index]))
}
