import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Roots } from '../../src/engine/lane'
import { detectHost } from '../../src/host/detect'
import { freshPath } from './cgroups'
import { patience } from './scale'
import { v1MountOf } from './test-cgroups'

/** A process that a test runs inside of a cgroup of its own. */
export interface Resident {
  readonly pid: number
  /** The signal that ended it; resolves when it has ended. */
  readonly ended: Promise<string | null>
}

/** A cgroup with processes in it, in some of the v1 hierarchies, and what a test needs to act on it. */
export class Residence {
  readonly path = freshPath()
  readonly roots = new Roots()
  readonly hierarchies = detectHost().hierarchies
  readonly #controllers: readonly string[]
  readonly #paths: string[] = []
  readonly #children: ChildProcess[] = []

  constructor(...controllers: readonly string[]) {
    this.#controllers = controllers
    this.make(this.path)
  }

  /** Makes a cgroup below; its directory is taken away with the others. */
  make(path: string): void {
    const directories = this.#controllers.map((controller) => this.directory(controller, path))
    for (const directory of new Set(directories)) mkdirSync(directory)
    this.#paths.push(path)
  }

  directory(controller: string, path = this.path): string {
    return join(v1MountOf(controller) ?? '', path)
  }

  /** The whole text without the newline at the end. */
  read(controller: string, file: string, path = this.path): string {
    return readFileSync(join(this.directory(controller, path), file), 'utf8').trimEnd()
  }

  write(controller: string, file: string, value: string | number, path = this.path): void {
    writeFileSync(join(this.directory(controller, path), file), String(value), { flag: 'r+' })
  }

  get state(): string {
    return this.read('freezer', 'freezer.state')
  }

  /** Starts a program inside, born outside and moved in. */
  async run(program: readonly string[], path = this.path): Promise<Resident> {
    const resident = await this.#start(program, 'ignore')
    this.#enter(resident.pid, path)
    return resident
  }

  /** Starts `freezer-resident.py`, and moves it in as soon as it is what was asked for. Its children stay outside. */
  async resist(how: readonly string[]): Promise<Resident> {
    const resident = await this.#start([...RESISTER, ...how], 'pipe')
    this.#enter(resident.pid, this.path)
    return resident
  }

  /** The same, with its children: it is inside before it begins. */
  async resistInside(how: readonly string[]): Promise<Resident> {
    const enter = this.#controllers.map((controller) => `echo 0 > ${this.directory(controller)}/cgroup.procs`)
    return this.#start(['sh', '-c', `${enter.join('; ')}; exec ${[...RESISTER, ...how].join(' ')}`], 'pipe')
  }

  /** The processes in it and below it, by a fresh open. */
  pids(controller: string): number[] {
    return this.#paths
      .filter((path) => existsSync(this.directory(controller, path)))
      .flatMap((path) => this.read(controller, 'cgroup.procs', path).split('\n').filter(Boolean).map(Number))
  }

  /** Ends everybody and takes the cgroups away; for an `afterEach`. */
  async clear(): Promise<void> {
    const everybody = () => this.#controllers.flatMap((controller) => this.pids(controller))
    for (let attempt = 0; everybody().length > 0; attempt += 1) {
      if (attempt > 500) throw new Error(`processes in ${this.path} do not end`)
      this.#setState('FROZEN')
      await sleep(10)
      for (const pid of everybody()) killQuietly(pid)
      this.#setState('THAWED')
      await sleep(5)
    }
    for (const child of this.#children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    for (const path of this.#paths.splice(0).reverse()) {
      for (const controller of this.#controllers) await removeSoon(this.directory(controller, path))
    }
    this.roots.close()
  }

  #setState(state: string): void {
    if (!this.#controllers.includes('freezer')) return
    for (const path of this.#paths) {
      if (existsSync(this.directory('freezer', path))) this.write('freezer', 'freezer.state', state, path)
    }
  }

  #enter(pid: number, path: string): void {
    for (const controller of this.#controllers) this.write(controller, 'cgroup.procs', pid, path)
  }

  async #start(program: readonly string[], output: 'ignore' | 'pipe'): Promise<Resident> {
    const { child, ...resident } = await startProgram(program, output)
    this.#children.push(child)
    return resident
  }
}

/** Starts a program; one whose output is asked for is waited for until it says something, and must not end before. */
export async function startProgram(
  program: readonly string[],
  output: 'ignore' | 'pipe',
): Promise<Resident & { readonly child: ChildProcess }> {
  const [file = '', ...args] = program
  const child = spawn(file, args, { stdio: ['ignore', output, 'ignore'] })
  const ended = once(child, 'exit').then(([, signal]) => signal as string | null)
  await once(child, 'spawn')
  if (child.stdout !== null) {
    const silent = ended.then(() => Promise.reject(new Error(`${program.join(' ')} ended without a word`)))
    await Promise.race([once(child.stdout, 'data'), silent])
  }
  if (child.pid === undefined) throw new Error(`${file} has no pid`)
  return { pid: child.pid, ended, child }
}

/** A process that is hard to freeze or to kill; see there for the ways. */
export const RESISTER = ['python3', join(__dirname, 'freezer-resident.py')]

/** A program that keeps a CPU busy. */
export const SPIN = ['sh', '-c', 'while :; do :; done']

/** CPU time that a process has used, in ticks. */
export function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return user + system
}

/** Whether it is off the run queue: until then the time that it has run is not all booked. */
export function hasLeftCpu(pid: number): boolean {
  return readFileSync(`/proc/${pid}/wchan`, 'utf8') !== '0'
}

/** Whether a signal is ignored or caught by now, as a shell does from its `trap` on. */
export function hasTrap(pid: number, signal: NodeJS.Signals): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const bit = 1n << BigInt(constants.signals[signal] - 1)
  return ['SigIgn', 'SigCgt'].some((mask) => {
    return (BigInt(`0x${new RegExp(`^${mask}:\\s*(\\w+)$`, 'm').exec(status)?.[1] ?? 0}`) & bit) !== 0n
  })
}

export async function waitFor(what: string, holds: () => boolean): Promise<void> {
  for (let attempt = 0; !holds(); attempt += 1) {
    if (attempt > patience(2000)) throw new Error(`waited in vain: ${what}`)
    await sleep(5)
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== 'ESRCH') throw error
  }
}

/** The kernel keeps a directory busy for some milliseconds after its last process has died. */
async function removeSoon(directory: string): Promise<void> {
  for (let attempt = 0; existsSync(directory); attempt += 1) {
    try {
      rmdirSync(directory)
    } catch (error) {
      if (Reflect.get(Object(error), 'code') !== 'EBUSY' || attempt > 200) throw error
      await sleep(attempt)
    }
  }
}
