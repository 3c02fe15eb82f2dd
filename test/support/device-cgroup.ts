import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type DeviceAccess, parseDevicesList } from '../../src/model/devices/device-access'
import type { DeviceWrite } from '../../src/model/devices/device-writes'

/** A cgroup of the device hierarchy that a test has for itself. */
export class DeviceCgroup {
  readonly path: string

  constructor(parent: string, name: string) {
    this.path = join(parent, name)
    mkdirSync(this.path)
  }

  list(): DeviceAccess {
    return parseDevicesList(readFileSync(join(this.path, 'devices.list'), 'utf8'))
  }

  write({ file, value }: DeviceWrite): void {
    writeFileSync(join(this.path, file), value)
  }

  remove(): void {
    rmdirSync(this.path)
  }
}

/** One word and a path on the input, one line on the output: `ok`, or the shell's message with the reason. */
const LOOP = `
echo 0 > "$1/cgroup.procs" && echo ok
while read -r verb path; do
  case $verb in
    read) (: < "$path") && echo ok ;;
    write) (: > "$path") && echo ok ;;
    both) (: <> "$path") && echo ok ;;
    keep) exec 3<> "$path" && echo ok ;;
    use) head -c 1 <&3 >&3 && echo ok ;;
    node) mknod "$path" c 1 5 && rm "$path" && echo ok ;;
  esac
done 2>&1`

export type Deed = 'read' | 'write' | 'both' | 'keep' | 'use' | 'node'

/** A shell inside of the cgroup that tries what it is told. */
export class Resident {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>

  private constructor(cgroup: Pick<DeviceCgroup, 'path'>) {
    this.#child = spawn('sh', ['-c', LOOP, 'sh', cgroup.path], {
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  static async in(cgroup: Pick<DeviceCgroup, 'path'>): Promise<Resident> {
    const resident = new Resident(cgroup)
    const entered = await resident.#next()
    if (entered !== 'ok') throw new Error(`a shell cannot enter ${cgroup.path}: ${entered}`)
    return resident
  }

  /** `'ok'`, `'EPERM'`, or what else the shell says. */
  async tries(deed: Deed, path = ''): Promise<string> {
    this.#child.stdin.write(`${deed} ${path}\n`)
    const line = await this.#next()
    return line.endsWith('Operation not permitted') ? 'EPERM' : line
  }

  async leave(): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.stdin.end()
    await exited
  }

  async #next(): Promise<string> {
    const { value, done } = await this.#lines.next()
    return done === true ? 'the shell has ended' : value
  }
}
