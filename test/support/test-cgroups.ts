import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'

/** Where the v1 hierarchy of a controller is mounted; undefined where there is none. */
export function v1MountOf(controller: string): string | undefined {
  const hierarchy = detectHost().controller(controller)
  return hierarchy?.version === 1 ? hierarchy.mountPoint : undefined
}

/** One cgroup path in the v1 hierarchies of several controllers, read and written with plain system calls. */
export class TestCgroup {
  readonly #path: string
  readonly #directories = new Map<string, string>()

  /** @param path Below the mount points; its parent exists. */
  constructor(path: string, controllers: Iterable<string>) {
    this.#path = path
    for (const controller of controllers) {
      const mount = v1MountOf(controller)
      if (mount === undefined) throw new Error(`no v1 hierarchy has ${controller}`)
      this.#directories.set(controller, join(mount, path))
    }
    // Two controllers can share a hierarchy, as systemd mounts cpu and cpuacct.
    for (const directory of new Set(this.#directories.values())) mkdirSync(directory)
  }

  child(name: string): TestCgroup {
    return new TestCgroup(join(this.#path, name), this.#directories.keys())
  }

  /** The whole text without the newline at the end; undefined where there is no such file. */
  read(controller: string, file: string): string | undefined {
    try {
      return readFileSync(join(this.#directory(controller), file), 'utf8').replace(/\n$/, '')
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** One `write()`; returns the kernel's refusal, such as `'EINVAL'`. */
  write(controller: string, file: string, value: string): string | undefined {
    try {
      writeFileSync(join(this.#directory(controller), file), value, { flag: 'r+' })
      return undefined
    } catch (error) {
      return errnoOf(error)
    }
  }

  /** A removed cgroup keeps its realtime share of the parent for a grace period, so that is given back first. */
  remove(): void {
    if (this.#directories.has('cpu')) this.write('cpu', 'cpu.rt_runtime_us', '0')
    for (const directory of new Set(this.#directories.values())) rmdirSync(directory)
  }

  #directory(controller: string): string {
    const directory = this.#directories.get(controller)
    if (directory === undefined) throw new Error(`this cgroup was not made for ${controller}`)
    return directory
  }
}

/** Errors of `fs` are of another realm than a jest test, so that `instanceof` does not know them. */
export function errnoOf(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  if (typeof code !== 'string') throw error
  return code
}
