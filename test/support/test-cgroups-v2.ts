import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { errnoOf } from './test-cgroups'

/** Where cgroup v2 is mounted; undefined where it is not. */
export function v2Mount(): string | undefined {
  return detectHost().hierarchies.find(({ version }) => version === 2)?.mountPoint
}

/** The controllers that v2 has on this host. */
export function v2Controllers(): readonly string[] {
  return detectHost().hierarchies.find(({ version }) => version === 2)?.controllers ?? []
}

/** A cgroup of v2, read and written with plain system calls. */
export class TestCgroupV2 {
  readonly #directory: string

  private constructor(directory: string) {
    this.#directory = directory
    mkdirSync(directory)
  }

  /** @param name Of a cgroup right below the mount point, which gives its children every controller there is. */
  static top(name: string): TestCgroupV2 {
    const mount = v2Mount()
    if (mount === undefined) throw new Error('no cgroup v2 is mounted')
    const all = v2Controllers().map((controller) => `+${controller}`)
    writeFileSync(join(mount, 'cgroup.subtree_control'), all.join(' '))
    const cgroup = new TestCgroupV2(join(mount, name))
    writeFileSync(join(cgroup.#directory, 'cgroup.subtree_control'), all.join(' '))
    return cgroup
  }

  child(name: string): TestCgroupV2 {
    return new TestCgroupV2(join(this.#directory, name))
  }

  /** The whole text without the newline at the end; undefined where there is no such file. */
  read(file: string): string | undefined {
    try {
      return readFileSync(join(this.#directory, file), 'utf8').replace(/\n$/, '')
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** One `write()`; returns the kernel's refusal, such as `'EINVAL'`. */
  write(file: string, value: string): string | undefined {
    try {
      writeFileSync(join(this.#directory, file), value, { flag: 'r+' })
      return undefined
    } catch (error) {
      return errnoOf(error)
    }
  }

  remove(): void {
    rmdirSync(this.#directory)
  }
}
