import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { IS_WITH_SYSTEMD } from './driver'

/** Where the build puts the embedded VMM. */
export const SPINVM = join(__dirname, '..', '..', 'build', 'Release', 'vmcg-spinvm')

/** Where Debian puts the JSON schemas of the OCI runtime specification. */
export const OCI_SCHEMA = '/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema'

function onPath(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.some((folder) => usable(join(folder, program), constants.X_OK))
}

function usable(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

/** Whether other users get to the checkout: it can lie in a home directory that is closed to them. */
function isPublic(path: string): boolean {
  const { mode } = statSync(path)
  return (mode & 0o005) === 0o005 && (path === '/' || isPublic(dirname(path)))
}

function mountsV1(controller: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' - ')[1]?.split(' ') ?? [])
    .some(([type, , options]) => type === 'cgroup' && options?.split(',').includes(controller))
}

function mountsV2(): boolean {
  return / - cgroup2 /.test(readFileSync('/proc/self/mountinfo', 'utf8'))
}

/** Whether cgroup v2 has these controllers, which are elsewhere where v1 has them. */
function hasControllersV2(...names: readonly string[]): boolean {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.includes(' - cgroup2 '))
    ?.split(' ')[4]
  const file = join(mount ?? '', 'cgroup.controllers')
  const controllers = existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ') : []
  return names.every((name) => controllers.includes(name))
}

/** Whether the v1 cpu hierarchy has a file at its top, and so in every cgroup. */
function hasCpuKnob(file: string): boolean {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.split(' - ')[1]?.split(' ')[2]?.split(',').includes('cpu') === true)
  return existsSync(join(mount?.split(' ')[4] ?? '', file))
}

/** What the list of differences was written for; later ones serve more. */
function isRunc11(): boolean {
  const { stdout } = spawnSync('runc', ['--version'], { encoding: 'utf8' })
  return /^runc version 1\.1\./.test(stdout ?? '')
}

/** The same. */
function isCrun18(): boolean {
  const { stdout } = spawnSync('crun', ['--version'], { encoding: 'utf8' })
  return /^crun version 1\.8\./.test(stdout ?? '')
}

/** What a test can need beyond Node and the build: a check, and what to do where it fails. */
const REQUIREMENTS = {
  root: { holds: () => process.geteuid?.() === 0, remedy: 'run as root' },
  cgroups: {
    holds: () => ['cpu', 'cpuacct', 'cpuset'].every(mountsV1) || hasControllersV2('cpu', 'cpuset'),
    remedy: 'a host with cpu, cpuacct and cpuset as cgroup v1 hierarchies, or cpu and cpuset on cgroup v2',
  },
  limits: {
    holds: () => ['memory', 'pids'].every((name) => mountsV1(name) || hasControllersV2(name)),
    remedy: 'a host with memory and pids on cgroup v1 or v2',
  },
  devices: {
    holds: () => mountsV1('devices') || mountsV2(),
    remedy: 'a host with devices as a cgroup v1 hierarchy, or with cgroup v2',
  },
  freezer: {
    holds: () => mountsV1('freezer') || mountsV2(),
    remedy: 'a host with freezer as a cgroup v1 hierarchy, or with cgroup v2',
  },
  'cgroup-v1': {
    holds: () => ['cpu', 'cpuacct', 'cpuset'].every(mountsV1),
    remedy: 'a host with cpu, cpuacct and cpuset as cgroup v1 hierarchies',
  },
  'devices-v1': {
    holds: () => mountsV1('devices'),
    remedy: 'a host with devices as a cgroup v1 hierarchy',
  },
  'limits-v1': {
    holds: () => ['memory', 'pids'].every(mountsV1),
    remedy: 'a host with memory and pids as cgroup v1 hierarchies',
  },
  'block-device': {
    holds: () => existsSync('/sys/block') && readdirSync('/sys/block').length > 0,
    remedy: 'a host with a block device',
  },
  'freezer-v1': {
    holds: () => mountsV1('freezer'),
    remedy: 'a host with freezer as a cgroup v1 hierarchy',
  },
  'accounting-v1': {
    holds: () => ['cpuacct', 'memory', 'pids', 'blkio'].every(mountsV1),
    remedy: 'a host with cpuacct, memory, pids and blkio as cgroup v1 hierarchies',
  },
  unified: {
    holds: mountsV2,
    remedy: 'a host with a cgroup v2 mount, alone or beside v1',
  },
  'cgroup-v2': {
    holds: () => hasControllersV2('cpu', 'cpuset', 'memory', 'io', 'pids'),
    remedy: 'a host with its controllers on cgroup v2 alone',
  },
  'delegated-v2': {
    holds: () => process.geteuid?.() !== 0 && process.env['VMCG_DELEGATED'] !== undefined,
    remedy: 'npm run test:vm -- v2, which runs these as a user who was given a part of the tree',
  },
  systemd: {
    holds: () => existsSync('/run/systemd/system'),
    remedy: 'npm run test:vm, whose guests are run by systemd',
  },
  'cgroupfs-driver': {
    holds: () => !IS_WITH_SYSTEMD,
    remedy: 'a run without VMCG_DRIVER=systemd',
  },
  'user-systemd': {
    holds: () =>
      process.geteuid?.() !== 0 &&
      existsSync(join(process.env['XDG_RUNTIME_DIR'] ?? '/run', 'systemd', 'private')),
    remedy: 'npm run test:vm -- v2, which runs these as a user with a systemd of its own',
  },
  'rt-group-sched': {
    holds: () => hasCpuKnob('cpu.rt_runtime_us'),
    remedy: 'a kernel with CONFIG_RT_GROUP_SCHED',
  },
  userfaultfd: {
    holds: () => existsSync('/proc/sys/vm/unprivileged_userfaultfd'),
    remedy: 'a kernel with CONFIG_USERFAULTFD',
  },
  kvm: {
    holds: () => usable('/dev/kvm', constants.R_OK | constants.W_OK),
    remedy: 'a host where /dev/kvm opens',
  },
  qemu: { holds: () => onPath('qemu-system-x86_64'), remedy: 'apt-get install qemu-system-x86' },
  nasm: { holds: () => onPath('nasm'), remedy: 'apt-get install nasm' },
  gcc: { holds: () => onPath('g++'), remedy: 'apt-get install g++' },
  strace: { holds: () => onPath('strace'), remedy: 'apt-get install strace' },
  python: { holds: () => onPath('python3'), remedy: 'apt-get install python3' },
  setpriv: { holds: () => onPath('setpriv'), remedy: 'apt-get install util-linux' },
  taskset: { holds: () => onPath('taskset'), remedy: 'apt-get install util-linux' },
  chrt: { holds: () => onPath('chrt'), remedy: 'apt-get install util-linux' },
  'ns-last-pid': {
    holds: () => usable('/proc/sys/kernel/ns_last_pid', constants.W_OK),
    remedy: 'a kernel with CONFIG_CHECKPOINT_RESTORE',
  },
  unshare: { holds: () => onPath('unshare'), remedy: 'apt-get install util-linux' },
  'public-checkout': {
    holds: () => isPublic(join(__dirname, '..', '..')),
    remedy: 'a checkout that other users can read',
  },
  runc: { holds: isRunc11, remedy: 'apt-get install runc, 1.1 as Debian 12 has it' },
  crun: { holds: isCrun18, remedy: 'apt-get install crun, 1.8 as Debian 12 has it' },
  'oci-schema': {
    holds: () => existsSync(join(OCI_SCHEMA, 'config-schema.json')),
    remedy: 'apt-get install golang-github-opencontainers-specs-dev',
  },
  spinvm: { holds: () => existsSync(SPINVM), remedy: 'npm run build' },
} as const

export type Requirement = keyof typeof REQUIREMENTS

/** Which of these this host lacks; empty when a test that needs them can run. */
export function missing(requirements: readonly Requirement[]): Requirement[] {
  return requirements.filter((name) => !REQUIREMENTS[name].holds())
}

/** What this host is known to lack by its nature: `VMCG_LACKS`, names with commas. Other hosts run those tests. */
function isLackedByNature(name: Requirement): boolean {
  return (process.env['VMCG_LACKS'] ?? '').split(',').includes(name)
}

/**
 * A `describe` whose tests need something of the host. Where it is missing they are skipped, and the reporter says
 * which and why; with `VMCG_REQUIRE=1`, as in CI, a missing thing is a failed test instead, but for what `VMCG_LACKS`
 * names: that is left out, and counted as such.
 */
export function describeWith(requirements: readonly Requirement[], name: string, tests: () => void): void {
  const lacks = missing(requirements)
  const told = (names: readonly Requirement[]) =>
    names.map((lack) => `${lack} (${REQUIREMENTS[lack].remedy})`).join(', ')
  const unforeseen = lacks.filter((lack) => !isLackedByNature(lack))
  if (lacks.length === 0) {
    describe(name, tests)
  } else if (unforeseen.length === 0) {
    skip(`${name} [left out for lack of ${lacks.join(', ')}]`, tests)
  } else if (process.env['VMCG_REQUIRE'] === '1') {
    describe(name, () => {
      test('has what it needs', () => {
        throw new Error(`this host lacks ${told(unforeseen)}`)
      })
    })
  } else {
    skip(`${name} [needs ${told(lacks)}]`, tests)
  }
}

/** The tests are named, so that they can be counted; naming them may already take what is missing. */
function skip(name: string, tests: () => void): void {
  describe.skip(name, () => {
    try {
      tests()
    } catch {
      test('all of it', () => undefined)
    }
  })
}

/**
 * A `describe` for what only some kernels have, such as a controller that is not mounted everywhere. A host that lacks
 * it is a host like any other: what is left out is named on stderr, and nothing counts as skipped.
 */
export function describeWhere(isThere: boolean, what: string, name: string, tests: () => void): void {
  if (isThere) describe(name, tests)
  else process.stderr.write(`this host has no ${what}: left out ${name}\n`)
}
