import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { QemuHypervisor } from '../../src/hypervisor/qemu'
import type { ContainerConfig } from '../../src/model/container'
import type { LinuxCpu } from '../../src/model/generated/oci'
import { Sandbox } from '../../src/sandbox'
import type { SandboxOptions } from '../../src/sandbox-options'
import { freshPath, removeCgroups } from './cgroups'
import { IS_WITH_SYSTEMD, untilScopeIsGone } from './driver'
import { type Qemu, type QemuSettings, startQemu } from './qemu'
import { patience } from './scale'
import { type StandIn, startStandIn } from './stand-in'

/** One container that asks for this of the cpu controllers. */
export function container(cpu: LinuxCpu, id = 'c1'): ContainerConfig {
  return { id, spec: { linux: { resources: { cpu } } } }
}

/** What a test of sandboxes works with: a parent cgroup and a state directory of its own, and VMMs that end with it. */
export class Bench {
  readonly #path = freshPath()
  /** What a sandbox is told. */
  readonly #given = IS_WITH_SYSTEMD ? `system.slice:${this.#path.slice(1)}` : this.#path
  /** The cgroup that the sandbox `vm` is made in. With systemd it is the unit of it alone. */
  readonly parent = IS_WITH_SYSTEMD ? `/system.slice${this.#path}-vm.scope` : this.#path
  readonly stateDir = mkdtempSync(join(tmpdir(), 'vmcg-test-state-'))
  readonly #closing: (() => Promise<void>)[] = []

  async sandbox(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
    const { stateDir } = this
    const sandbox = await Sandbox.create({ id: 'vm', parent: this.#given, stateDir, ...options })
    this.#closing.push(() => sandbox.close())
    return sandbox
  }

  async qemu(settings?: QemuSettings): Promise<Qemu> {
    const qemu = await startQemu(settings)
    this.#closing.push(qemu.kill)
    return qemu
  }

  async standIn(): Promise<StandIn> {
    const standIn = await startStandIn()
    this.#closing.push(standIn.kill)
    return standIn
  }

  async connect({ sockets }: Qemu): Promise<QemuHypervisor> {
    const hypervisor = await QemuHypervisor.connect({ socket: sockets[0], timeoutMs: patience(5000) })
    this.#closing.push(() => hypervisor.close())
    return hypervisor
  }

  /** Runs before the bench's own things are taken away, the latest first. */
  atEnd(act: () => Promise<void>): void {
    this.#closing.push(act)
  }

  /** For an `afterEach`. */
  async clear(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close()
    if (IS_WITH_SYSTEMD) await untilScopeIsGone(this.parent)
    await removeCgroups(this.parent)
    rmSync(this.stateDir, { recursive: true, force: true })
  }
}
