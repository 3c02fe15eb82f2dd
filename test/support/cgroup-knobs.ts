import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { removeCgroup } from './remove-cgroup'

/** File name → its lines, sorted: in those that have several the order means nothing. */
export type KnobLines = Readonly<Record<string, readonly string[]>>

/** Of what is written to them: they count, or they hold processes. */
const NOT_SETTINGS =
  /^(?:tasks|notify_on_release|cgroup\..*|cpuacct\.usage|memory\..*(?:failcnt|max_usage_in_bytes))$/

/** The mount points of every hierarchy there is, also of those that no test writes to. */
function mountPoints(): string[] {
  return detectHost()
    .hierarchies.filter(({ isReadOnly }) => !isReadOnly)
    .map(({ mountPoint }) => mountPoint)
}

/** Makes a cgroup in all v1 hierarchies, which processes can join. */
export function makeEverywhere(path: string): void {
  for (const { version, mountPoint, controllers, isReadOnly } of detectHost().hierarchies) {
    if (version !== 1 || isReadOnly) continue
    const directory = join(mountPoint, path)
    mkdirSync(directory)
    if (!controllers.includes('cpuset')) continue
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      writeFileSync(join(directory, file), readFileSync(join(dirname(directory), file)))
    }
  }
}

/** Takes away a cgroup, which has no children left, wherever it is; also what a peer made in other hierarchies. */
export function removeEverywhere(path: string): void {
  for (const mountPoint of mountPoints()) removeCgroup(join(mountPoint, path))
}

/** Every setting of a cgroup in every v1 hierarchy that it is in: files to read and write, and `devices.list`. */
export function readKnobs(path: string): KnobLines {
  const directories = detectHost()
    .hierarchies.filter(({ version }) => version === 1)
    .map(({ mountPoint }) => join(mountPoint, path))
    .filter((directory) => existsSync(directory))
  return Object.fromEntries(
    directories.flatMap((directory) =>
      readdirSync(directory)
        .filter((file) => isSetting(join(directory, file), file))
        .map((file) => [file, linesOf(join(directory, file))] as const),
    ),
  )
}

function isSetting(path: string, file: string): boolean {
  if (file === 'devices.list') return true
  const stat = statSync(path)
  return stat.isFile() && (stat.mode & 0o600) === 0o600 && !NOT_SETTINGS.test(file)
}

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').trimEnd().split('\n').sort()
}
