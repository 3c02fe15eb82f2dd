import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LinuxResources } from '../../src/model/generated/oci'
import { type KnobLines, readKnobs, removeEverywhere } from './cgroup-knobs'

/** What a runtime said when it refused, as its log has it. */
export interface Refused {
  readonly refused: string
}

export type RuntimeName = 'runc' | 'crun'

/** How the cgroups of a container are looked at, and taken away where the runtime has left some. */
export interface CgroupAccess {
  readonly read: (path: string) => KnobLines
  readonly remove: (path: string) => void
}

const V1_CGROUPS: CgroupAccess = { read: readKnobs, remove: removeEverywhere }

/** Neither is to ask systemd, where that runs. */
const ARGUMENTS: Readonly<Record<RuntimeName, readonly string[]>> = {
  runc: [],
  crun: ['--cgroup-manager=cgroupfs'],
}

const PROGRAM = 'init'

/**
 * A runtime that nobody here wrote, with a container that is created and never started: its one process waits for a
 * start in the cgroups that it was put into.
 */
export class OciRuntime {
  readonly #folder: string
  readonly #id: string
  readonly #program: RuntimeName
  readonly #cgroupsPath: string
  readonly #cgroups: CgroupAccess

  /** @param cgroupsPath Of the container, below the mount points; its parent exists. */
  constructor(program: RuntimeName, cgroupsPath: string, cgroups: CgroupAccess = V1_CGROUPS) {
    this.#program = program
    this.#cgroupsPath = cgroupsPath
    this.#cgroups = cgroups
    this.#id = `vmcg-test-${program}-${process.pid}`
    this.#folder = mkdtempSync(join(tmpdir(), `vmcg-test-${program}-`))
    // crun opens it, whatever is mounted.
    mkdirSync(join(this.#folder, 'rootfs', 'dev'), { recursive: true })
    // Looked for at create; an empty file will do, since it is run at start.
    writeFileSync(join(this.#folder, 'rootfs', PROGRAM), '', { mode: 0o755 })
  }

  /** What the knobs say when a container was created with the first resources and updated to each of the others. */
  apply([first = {}, ...others]: readonly LinuxResources[]): KnobLines | Refused {
    this.#write('config.json', this.#config(first))
    const refused =
      this.#run('create', '--bundle', this.#folder, this.#id) ??
      others.map((resources) => this.#update(resources)).find((refusal) => refusal !== undefined)
    try {
      return refused === undefined ? this.#cgroups.read(this.#cgroupsPath) : { refused }
    } finally {
      this.#delete()
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true })
  }

  #config(resources: LinuxResources): object {
    return {
      ociVersion: '1.0.2',
      process: { args: [`/${PROGRAM}`], cwd: '/', user: { uid: 0, gid: 0 }, capabilities: {} },
      root: { path: 'rootfs' },
      mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
      linux: { cgroupsPath: this.#cgroupsPath, namespaces: [{ type: 'mount' }], resources },
    }
  }

  #update(resources: LinuxResources): string | undefined {
    return this.#run('update', '--resources', this.#write('update.json', resources), this.#id)
  }

  #delete(): void {
    const failure = this.#run('delete', '--force', this.#id)
    if (failure !== undefined) throw new Error(`${this.#program} delete: ${failure}`)
    // A create that fails early leaves some directories.
    this.#cgroups.remove(this.#cgroupsPath)
  }

  #write(name: string, content: object): string {
    const file = join(this.#folder, name)
    writeFileSync(file, JSON.stringify(content))
    return file
  }

  /**
   * What it says on failure. That goes to a file, since the container keeps the descriptors and a pipe would not end.
   */
  #run(...args: string[]): string | undefined {
    const file = join(this.#folder, 'messages')
    const messages = openSync(file, 'w')
    try {
      const state = join(this.#folder, 'state')
      const stdio = ['ignore', 'ignore', messages] as const
      const { status } = spawnSync(this.#program, ['--root', state, ...ARGUMENTS[this.#program], ...args], {
        stdio: [...stdio],
      })
      return status === 0 ? undefined : readFileSync(file, 'utf8').trim().split('\n').at(-1)
    } finally {
      closeSync(messages)
    }
  }
}
