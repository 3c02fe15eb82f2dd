import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { CgroupManager } from '../../src/manager'
import type { CgroupManagerConfig } from '../../src/manager-options'
import { pathChain } from '../../src/plan/observed'
import { freshPath } from './cgroups'
import { Resident } from './device-cgroup'
import { IS_WITH_SYSTEMD, untilScopeIsGone } from './driver'
import { type StandIn, startStandIn } from './stand-in'

const HOST = detectHost()
const UNIFIED = HOST.hierarchies.find(({ version }) => version === 2)

/** Whether a manager has one cgroup only, of v2. */
export const IS_PURE_V2 = HOST.layout === 'v2'

/** Mount points by controller, of the hierarchies that a manager joins: every one of v1 that has one, or that of v2. */
export const MANAGED: Readonly<Record<string, string>> = Object.fromEntries(
  HOST.hierarchies
    .filter(({ version, isReadOnly }) => (version === 2) === IS_PURE_V2 && !isReadOnly)
    .flatMap(({ controllers, mountPoint }) => controllers.map((controller) => [controller, mountPoint])),
)

/** What v2 does for every cgroup, and v1 by a controller; and the name of v2 itself. */
const PART_OF_V2: readonly string[] = ['cpuacct', 'devices', 'freezer', 'unified']

function mountOf(controller: string): string | undefined {
  return (
    HOST.controller(controller)?.mountPoint ??
    (PART_OF_V2.includes(controller) ? UNIFIED?.mountPoint : undefined)
  )
}

export interface Child {
  readonly pid: number
  /** The signal that ended it; resolves when it has ended. */
  readonly ended: Promise<string | null>
}

/**
 * What a test of managers works with: a cgroup of its own to make managed ones in, a state directory, and processes
 * that end with it. What the kernel says is read by plain system calls.
 */
export class ManagerBench {
  readonly #path = freshPath()
  readonly #scopes = new Set<string>()
  /** The cgroup that everything is made in; the test's to limit. With systemd it is the unit of `one` alone. */
  readonly parent = IS_WITH_SYSTEMD ? this.#scope('one') : this.#path
  readonly stateDir = mkdtempSync(join(tmpdir(), 'vmcg-test-state-'))
  readonly #closing: (() => Promise<void>)[] = []

  /** What a manager is told. */
  cgroupsPath(name = 'one'): string {
    return IS_WITH_SYSTEMD ? `system.slice:${this.#path.slice(1)}:${name}` : `${this.#path}/${name}`
  }

  /** The path of a managed cgroup, as normalised. */
  path(name = 'one'): string {
    return IS_WITH_SYSTEMD ? `${this.#scope(name)}/vm` : `${this.#path}/kata_${name}`
  }

  #scope(name: string): string {
    const path = `/system.slice${this.#path}-${name}.scope`
    this.#scopes.add(path)
    return path
  }

  /** A manager of `one`, unless told otherwise. */
  async manager(config: Partial<CgroupManagerConfig> = {}): Promise<CgroupManager> {
    const { stateDir } = this
    const manager = await CgroupManager.create({ cgroupsPath: this.cgroupsPath(), stateDir, ...config })
    this.#closing.push(() => manager.close())
    return manager
  }

  /** One whose cgroup can be limited from now on: a scope of systemd is not there before its first process. */
  async begun(config: Partial<CgroupManagerConfig> = {}): Promise<CgroupManager> {
    const manager = await this.manager(config)
    if (IS_WITH_SYSTEMD) await manager.add((await this.child(['sleep', '1000'])).pid)
    return manager
  }

  /** The directory of a cgroup below the mount point of a controller, or of what does the same on v2. */
  directory(controller: string, path = this.path()): string {
    const mount = mountOf(controller)
    if (mount === undefined) throw new Error(`${controller} is not mounted`)
    return join(mount, path)
  }

  exists(controller: string, path?: string): boolean {
    return existsSync(this.directory(controller, path))
  }

  /**
   * Makes a cgroup by hand, as somebody else would, that has the knobs of these controllers; where there is a cpuset of
   * v1, one that takes processes.
   */
  make(path: string, controllers: Iterable<string> = Object.keys(MANAGED)): void {
    const wanted = [...controllers]
    if (IS_PURE_V2) this.handDown(dirname(path), wanted)
    // Two controllers can share a hierarchy, as systemd mounts cpu and cpuacct.
    for (const made of new Set(wanted.map((controller) => this.directory(controller, path)))) mkdirSync(made)
    if (IS_PURE_V2 || !wanted.includes('cpuset')) return
    for (const knob of ['cpuset.cpus', 'cpuset.mems'])
      this.write('cpuset', knob, this.read('cpuset', knob, join(path, '..')), path)
  }

  /** Has the cgroup above a managed one there, and hand every controller down: so that one has every knob. */
  prepareParent(name = 'one'): void {
    const above = dirname(this.path(name))
    if (!this.exists('cpu', above)) this.make(above)
    if (IS_PURE_V2) this.handDown(above)
  }

  /** On v2: has a cgroup and all above it give controllers to those below. */
  handDown(path: string, controllers: readonly string[] = Object.keys(MANAGED)): void {
    const own = controllers.filter((controller) => MANAGED[controller] !== undefined)
    if (own.length === 0) return
    for (const above of pathChain(path))
      this.write('unified', 'cgroup.subtree_control', own.map((name) => `+${name}`).join(' '), above)
  }

  /** The whole text without the newline at the end. */
  read(controller: string, file: string, path?: string): string {
    return readFileSync(join(this.directory(controller, path), file), 'utf8').trimEnd()
  }

  write(controller: string, file: string, value: string | number, path?: string): void {
    writeFileSync(join(this.directory(controller, path), file), String(value), { flag: 'r+' })
  }

  /** The processes of a cgroup, ascending, by a fresh open. */
  pids(controller: string, path?: string): number[] {
    return this.#ids(controller, 'cgroup.procs', path)
  }

  /** The threads of a cgroup, the same way. */
  tids(controller: string, path?: string): number[] {
    return this.#ids(controller, threadsFile(controller), path)
  }

  #ids(controller: string, file: string, path?: string): number[] {
    return this.read(controller, file, path)
      .split('\n')
      .filter(Boolean)
      .map(Number)
      .sort((a, b) => a - b)
  }

  /** Whether all of it stands still, as the kernel says. */
  isFrozen(path?: string): boolean {
    return mountOf('freezer') === UNIFIED?.mountPoint
      ? this.read('freezer', 'cgroup.events', path).includes('frozen 1')
      : this.read('freezer', 'freezer.state', path) === 'FROZEN'
  }

  /** Whether the kernel lets a process in a cgroup open a device; one that is started for it. */
  async mayOpen(device: string, deed: 'read' | 'write' | 'both' = 'both', path?: string): Promise<boolean> {
    const resident = await Resident.in({ path: this.directory('devices', path) })
    const answer = await resident.tries(deed, device)
    await resident.leave()
    if (answer !== 'ok' && answer !== 'EPERM') throw new Error(answer)
    return answer === 'ok'
  }

  async standIn(): Promise<StandIn> {
    const standIn = await startStandIn()
    this.#closing.push(standIn.kill)
    return standIn
  }

  /** Starts a program, outside of every cgroup of the bench. */
  async child([file = '', ...args]: readonly string[]): Promise<Child> {
    return this.#endWithBench(spawn(file, args, { stdio: 'ignore' }))
  }

  async #endWithBench(child: ChildProcess): Promise<Child> {
    const ended = once(child, 'exit').then(([, signal]) => signal as string | null)
    await once(child, 'spawn')
    if (child.pid === undefined) throw new Error(`${child.spawnfile} has no pid`)
    if (child.stdout !== null) await once(child.stdout, 'data')
    this.#closing.push(async () => {
      child.kill('SIGKILL')
      await ended
    })
    return { pid: child.pid, ended }
  }

  /** One that is hard to freeze, once it is that; see `freezer-resident.py`. */
  async resist(how: readonly string[]): Promise<Child> {
    const child = spawn('python3', [join(__dirname, 'freezer-resident.py'), ...how], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return this.#endWithBench(child)
  }

  /** Runs before the bench's own things are taken away, the latest first. */
  atEnd(act: () => Promise<void> | void): void {
    this.#closing.push(async () => act())
  }

  /** For an `afterEach`. */
  async clear(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close()
    const controllers = [...Object.keys(MANAGED), ...(UNIFIED ? ['unified'] : [])]
    for (const scope of this.#scopes) await untilScopeIsGone(scope)
    for (const path of [this.#path, ...this.#scopes])
      for (const controller of controllers) await this.#remove(controller, path)
    rmSync(this.stateDir, { recursive: true, force: true })
  }

  /** From the leaves up; the kernel keeps a directory busy for some milliseconds after its last process has died. */
  async #remove(controller: string, path: string): Promise<void> {
    const directory = this.directory(controller, path)
    if (!existsSync(directory)) return
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) await this.#remove(controller, join(path, entry.name))
    }
    for (let attempt = 0; existsSync(directory); attempt += 1) {
      for (const tid of this.tids(controller, path)) this.#toRoot(controller, tid)
      try {
        rmdirSync(directory)
      } catch (error) {
        if (Reflect.get(Object(error), 'code') !== 'EBUSY' || attempt > 200) throw error
        await new Promise((resolve) => setTimeout(resolve, attempt))
      }
    }
  }

  #toRoot(controller: string, tid: number): void {
    try {
      this.write(controller, isUnified(controller) ? 'cgroup.procs' : 'tasks', tid, '/')
    } catch (error) {
      if (Reflect.get(Object(error), 'code') !== 'ESRCH') throw error
    }
  }
}

function isUnified(controller: string): boolean {
  return UNIFIED !== undefined && mountOf(controller) === UNIFIED.mountPoint
}

function threadsFile(controller: string): string {
  return isUnified(controller) ? 'cgroup.threads' : 'tasks'
}

/** The cgroup of a thread, by controller, in one answer of the kernel. */
export function cgroupsOf(tid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${tid}/cgroup`, 'utf8')
    .split('\n')
    .map((line) => /^\d+:(?<names>[^:]*):(?<path>.*)$/.exec(line)?.groups)
  const isOf = (names: string | undefined, controller: string) =>
    IS_PURE_V2 ? names === '' : names?.split(',').includes(controller)
  return Object.fromEntries(
    Object.keys(MANAGED).map((controller) => [
      controller,
      lines.find((line) => isOf(line?.['names'], controller))?.['path'] ?? '',
    ]),
  )
}

/** The same path for every controller, to compare {@link cgroupsOf} with. */
export function inEvery(path: string): Record<string, string> {
  return Object.fromEntries(Object.keys(MANAGED).map((controller) => [controller, path]))
}
