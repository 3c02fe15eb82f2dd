import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { describeHierarchies, detectHost } from '../../src/host/detect'
import { hierarchiesFrom, pathBelowMount } from '../../src/host/hierarchies'
import { parseProcCgroup } from '../../src/host/proc-cgroup'
import { readProcessCgroups, readStartTime } from '../../src/host/process'
import { describeWith } from '../support/require'

const host = detectHost()

it('finds a mount for each cgroup file system that the kernel lists, and no other', () => {
  // Counted in another way than the parser's: by device number, which all mounts of one hierarchy share.
  const devices = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[2])
  expect(host.hierarchies).toHaveLength(new Set(devices).size)
  for (const { mountPoint, version } of host.hierarchies) {
    expect(readdirSync(mountPoint)).toContain(version === 1 ? 'tasks' : 'cgroup.controllers')
  }
})

describeWith(['cgroup-v1'], 'on a host with v1 hierarchies', () => {
  it.each([
    ['cpu', 'cpu.shares'],
    ['cpuacct', 'cpuacct.usage'],
    ['cpuset', 'cpuset.cpus'],
    ['memory', 'memory.stat'],
  ])('knows the hierarchy of %s by a file that only it has', (name, file) => {
    expect(readdirSync(host.controller(name)?.mountPoint ?? '/')).toContain(file)
  })
})

describeWith(['cgroup-v2'], 'on a host with v2 alone', () => {
  it.each(['cpu', 'cpuset', 'memory', 'io', 'pids'])(
    'knows that %s is there, as the kernel lists it',
    (name) => {
      const { version, mountPoint = '/' } = host.controller(name) ?? {}
      expect(version).toBe(2)
      expect(readFileSync(join(mountPoint, 'cgroup.controllers'), 'utf8').split(/\s/)).toContain(name)
    },
  )

  it('is one without a hierarchy of v1', () => {
    expect([host.layout, host.hierarchies.map(({ id }) => id)]).toEqual(['v2', ['unified']])
  })
})

it('finds each of this process’s own cgroups below the mount point', () => {
  const own = readProcessCgroups(process.pid) ?? []
  for (const hierarchy of host.hierarchies) {
    const id = hierarchy.version === 2 ? '' : hierarchy.id
    const entry = own.find(({ controllers }) => controllers.join(',') === id)
    const below = pathBelowMount(hierarchy, entry?.path ?? 'missing')
    if (below === undefined) continue
    const procs = readFileSync(join(hierarchy.mountPoint, below, 'cgroup.procs'), 'utf8').split('\n')
    expect([hierarchy.id, procs.includes(String(process.pid))]).toEqual([hierarchy.id, true])
  }
})

it('tells the kernel and the user as the kernel does', () => {
  expect(host.kernel).toBe(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim())
  expect(host.isRoot).toBe(process.geteuid?.() === 0)
})

it('describes every hierarchy', () => {
  const text = describeHierarchies(host)
  for (const { mountPoint } of host.hierarchies) expect(text).toContain(` at ${mountPoint}`)
})

it('reads the start time of this process, and nothing of one that cannot exist', () => {
  expect(readStartTime(process.pid)).toBeGreaterThan(0)
  // PID_MAX_LIMIT is 2^22.
  expect(readStartTime(2 ** 22 + 1)).toBeUndefined()
  expect(readProcessCgroups(2 ** 22 + 1)).toBeUndefined()
})

describeWith(['root', 'cgroups', 'unshare'], 'in a cgroup namespace', () => {
  const used = host.controller('cpu')
  const parent = join(used?.mountPoint ?? '', `vmcg-test-host-${process.pid}`)
  const child = join(parent, 'child')
  beforeAll(() => {
    mkdirSync(child, { recursive: true })
  })
  afterAll(() => {
    rmdirSync(child)
    rmdirSync(parent)
  })

  it('finds cgroups below a mount whose root is above the namespace', () => {
    // The namespace's root becomes `parent`; the shell then moves on, and asks the kernel at each station. Mounted with
    // nsdelegate, as systemd does it, v2 lets nobody out.
    const stations = used?.version === 2 ? [child] : [child, join(parent, '..')]
    const inside =
      'cat /proc/self/mountinfo; for to; do echo $$ > "$to/cgroup.procs"; cat /proc/self/cgroup; done'
    const enter =
      'inside="$1"; echo $$ > "$2/cgroup.procs"; shift 2; exec unshare --cgroup sh -c "$inside" sh "$@"'
    const args = ['-c', enter, 'sh', inside, parent, ...stations]
    const text = execFileSync('sh', args, { encoding: 'utf8' })
    const { hierarchies } = hierarchiesFrom(text, text, used?.controllers ?? [])
    const cpu = hierarchies.find(({ id }) => id === used?.id)
    const names = used?.version === 2 ? '' : used?.id
    const paths = parseProcCgroup(text).filter(({ controllers }) => controllers.join(',') === names)
    expect(cpu?.mountRoot).toMatch(/^\/\.\./)
    // Inside of the namespace the name of its root is not known, so the way down from the mount is not either.
    const inChild = ['/child', undefined]
    expect(paths.map(({ path }) => cpu && [path, pathBelowMount(cpu, path)])).toEqual(
      used?.version === 2 ? [inChild] : [inChild, ['/..', '/']],
    )
  })
})
