import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Roots } from '../../src/engine/lane'
import { detectHost } from '../../src/host/detect'
import { freshPath, threadsOf } from './cgroups'
import { RESISTER, type Resident, startProgram, waitFor } from './residents'

/** The v2 mount, also beside v1 ones; undefined on a host without. */
export const UNIFIED = detectHost().hierarchies.find(({ version }) => version === 2)

/** Gives controllers to the cgroups at the top. Only for a host of its own, such as a guest: they stay given. */
export function enable(...controllers: readonly string[]): void {
  const line = controllers.map((controller) => `+${controller}`).join(' ')
  writeFileSync(join(UNIFIED?.mountPoint ?? '', 'cgroup.subtree_control'), line, { flag: 'r+' })
}

/** Where this process is on v2. */
export function ownUnifiedPath(): string {
  return /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/'
}

/** A cgroup of v2 with processes in it, and what a test needs to act on it. Answers are the kernel's own. */
export class UnifiedHome {
  readonly path = freshPath()
  readonly roots = new Roots()
  readonly hierarchies = UNIFIED === undefined ? [] : [UNIFIED]
  readonly #paths: string[] = []
  readonly #children: ChildProcess[] = []

  constructor() {
    this.make(this.path)
  }

  /** Makes a cgroup below; its directory is taken away with the others. */
  make(path: string): void {
    mkdirSync(this.directory(path))
    this.#paths.push(path)
  }

  /** Makes a cgroup below that holds single threads of the processes in the one above it. */
  makeThreaded(path: string): void {
    this.make(path)
    this.write('cgroup.type', 'threaded', path)
  }

  directory(path = this.path): string {
    return join(UNIFIED?.mountPoint ?? '', path)
  }

  /** The whole text without the newline at the end. */
  read(file: string, path = this.path): string {
    return readFileSync(join(this.directory(path), file), 'utf8').trimEnd()
  }

  write(file: string, value: string | number, path = this.path): void {
    writeFileSync(join(this.directory(path), file), String(value), { flag: 'r+' })
  }

  /** True as the kernel's own line says, such as `'frozen 1'`. */
  says(event: string, path = this.path): boolean {
    return this.read('cgroup.events', path).split('\n').includes(event)
  }

  /** Starts a program inside, born outside and moved in. */
  async run(program: readonly string[], path = this.path): Promise<Resident> {
    const resident = await this.#start(program, 'ignore')
    this.write('cgroup.procs', resident.pid, path)
    return resident
  }

  /** Starts a program that is inside before it begins, so that all of its memory is charged there. */
  runInside(program: readonly string[]): Promise<Resident> {
    return this.#startInside(program, 'ignore')
  }

  /** Starts a program that busies a CPU in a second thread of its own. Resolves when that is there, with its tid. */
  async runTwoThreads(): Promise<Resident & { readonly busy: number }> {
    const resident = await this.run(['python3', '-c', TWO_THREADS])
    const others = () => threadsOf(resident.pid).filter(({ tid }) => tid !== resident.pid)
    await waitFor('a second thread', () => others().length > 0)
    const [busy] = others()
    if (busy === undefined) throw new Error('the second thread has gone')
    return { ...resident, busy: busy.tid }
  }

  /** Starts a {@link RESISTER}, and moves it in as soon as it is what was asked for. Its children stay outside. */
  async resist(how: readonly string[]): Promise<Resident> {
    const resident = await this.#start([...RESISTER, ...how], 'pipe')
    this.write('cgroup.procs', resident.pid)
    return resident
  }

  /** The same, with its children: it is inside before it begins. */
  resistInside(how: readonly string[]): Promise<Resident> {
    return this.#startInside([...RESISTER, ...how], 'pipe')
  }

  /** The processes in a cgroup itself, or, at a thread root, in all that is threaded below it. */
  pids(path = this.path): number[] {
    return this.read('cgroup.procs', path).split('\n').filter(Boolean).map(Number)
  }

  /** The threads in a cgroup itself. */
  tids(path = this.path): number[] {
    return this.read('cgroup.threads', path).split('\n').filter(Boolean).map(Number)
  }

  /** Ends everybody and takes the cgroups away; for an `afterEach`. */
  async clear(): Promise<void> {
    if (existsSync(this.directory())) this.write('cgroup.kill', 1)
    for (const child of this.#children.splice(0)) child.kill('SIGKILL')
    for (const path of this.#paths.splice(0).reverse()) {
      if (!existsSync(this.directory(path))) continue
      await waitFor(`${path} to be empty`, () => this.says('populated 0', path))
      await removeSoon(this.directory(path))
    }
    this.roots.close()
  }

  #startInside(program: readonly string[], output: 'ignore' | 'pipe'): Promise<Resident> {
    const enter = 'echo 0 > "$0/cgroup.procs"; exec "$@"'
    return this.#start(['sh', '-c', enter, this.directory(), ...program], output)
  }

  async #start(program: readonly string[], output: 'ignore' | 'pipe'): Promise<Resident> {
    const { child, ...resident } = await startProgram(program, output)
    this.#children.push(child)
    return resident
  }
}

const TWO_THREADS = `
import threading, time
def spin():
    while True: pass
threading.Thread(target=spin, daemon=True).start()
time.sleep(60)
`

/** The kernel keeps a directory busy for a moment after its last process has died. */
async function removeSoon(directory: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      rmdirSync(directory)
      return
    } catch (error) {
      if (Reflect.get(Object(error), 'code') !== 'EBUSY' || attempt > 200) throw error
      await sleep(attempt)
    }
  }
}
