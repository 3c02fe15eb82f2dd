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
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { CgroupManager } from '../../src/manager'
import type { CgroupManagerConfig } from '../../src/manager-options'
import { freshPath } from './cgroups'
import { type StandIn, startStandIn } from './stand-in'

/** Mount points by controller, of every v1 hierarchy with one: those that a manager joins. */
export const V1_MOUNTS: Readonly<Record<string, string>> = Object.fromEntries(
  detectHost()
    .hierarchies.filter(({ version, isReadOnly }) => version === 1 && !isReadOnly)
    .flatMap(({ controllers, mountPoint }) => controllers.map((controller) => [controller, mountPoint])),
)

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
  /** The cgroup that everything is made in; the test's to limit. */
  readonly parent = freshPath()
  readonly stateDir = mkdtempSync(join(tmpdir(), 'vmcg-test-state-'))
  readonly #closing: (() => Promise<void>)[] = []

  /** The path of a managed cgroup, as normalised. */
  path(name = 'one'): string {
    return `${this.parent}/kata_${name}`
  }

  /** A manager of `<parent>/kata_one`, unless told otherwise. */
  async manager(config: Partial<CgroupManagerConfig> = {}): Promise<CgroupManager> {
    const { parent, stateDir } = this
    const manager = await CgroupManager.create({ cgroupsPath: `${parent}/one`, stateDir, ...config })
    this.#closing.push(() => manager.close())
    return manager
  }

  /** The directory of a cgroup below the mount point of a controller. */
  directory(controller: string, path = this.path()): string {
    const mount = V1_MOUNTS[controller]
    if (mount === undefined) throw new Error(`${controller} is not mounted as cgroup v1`)
    return join(mount, path)
  }

  exists(controller: string, path?: string): boolean {
    return existsSync(this.directory(controller, path))
  }

  /** Makes a cgroup by hand, as somebody else would; where there is a cpuset, one that takes processes. */
  make(path: string, controllers: Iterable<string> = Object.keys(V1_MOUNTS)): void {
    const wanted = [...controllers]
    // Two controllers can share a hierarchy, as systemd mounts cpu and cpuacct.
    for (const made of new Set(wanted.map((controller) => this.directory(controller, path)))) mkdirSync(made)
    if (!wanted.includes('cpuset')) return
    for (const knob of ['cpuset.cpus', 'cpuset.mems'])
      this.write('cpuset', knob, this.read('cpuset', knob, join(path, '..')), path)
  }

  /** The whole text without the newline at the end. */
  read(controller: string, file: string, path?: string): string {
    return readFileSync(join(this.directory(controller, path), file), 'utf8').trimEnd()
  }

  write(controller: string, file: string, value: string | number, path?: string): void {
    writeFileSync(join(this.directory(controller, path), file), String(value), { flag: 'r+' })
  }

  /** The processes (or threads) of a cgroup, ascending, by a fresh open. */
  ids(controller: string, file: 'cgroup.procs' | 'tasks', path?: string): number[] {
    return this.read(controller, file, path)
      .split('\n')
      .filter(Boolean)
      .map(Number)
      .sort((a, b) => a - b)
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
    for (const controller of Object.keys(V1_MOUNTS)) await this.#remove(controller, this.parent)
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
      for (const tid of this.ids(controller, 'tasks', path)) this.#toRoot(controller, tid)
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
      this.write(controller, 'tasks', tid, '/')
    } catch (error) {
      if (Reflect.get(Object(error), 'code') !== 'ESRCH') throw error
    }
  }
}

/** The cgroup of a thread, by controller, in one answer of the kernel. */
export function cgroupsOf(tid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${tid}/cgroup`, 'utf8')
    .split('\n')
    .map((line) => /^\d+:(?<names>[^:]*):(?<path>.*)$/.exec(line)?.groups)
  return Object.fromEntries(
    Object.keys(V1_MOUNTS).map((controller) => [
      controller,
      lines.find((line) => line?.['names']?.split(',').includes(controller))?.['path'] ?? '',
    ]),
  )
}

/** The same path for every controller, to compare {@link cgroupsOf} with. */
export function inEvery(path: string): Record<string, string> {
  return Object.fromEntries(Object.keys(V1_MOUNTS).map((controller) => [controller, path]))
}
