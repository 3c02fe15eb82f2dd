import * as fc from 'fast-check'
import { describeHierarchies } from '../../src/host/detect'
import { type Hierarchy, hierarchiesFrom, pathBelowMount } from '../../src/host/hierarchies'
import { forAll } from '../support/for-all'

const ROOT = '1 0 8:1 / / rw - ext4 /dev/sda1 rw'
const TMPFS = '20 1 0:20 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755'
const CPU = '21 20 0:21 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct'
const CPUSET = '22 20 0:22 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset,clone_children'
const SYSTEMD = '23 20 0:23 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd'
const UNIFIED = '24 20 0:24 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate'
const V2_ONLY = '30 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot'

const V1_LINES = ['4:cpu,cpuacct:/', '3:cpuset:/', '2:name=systemd:/']
const lines = (...all: string[]): string => `${all.join('\n')}\n`

describe('the layout', () => {
  it.each([
    ['v1', lines(ROOT, TMPFS, CPU, CPUSET, SYSTEMD), lines(...V1_LINES)],
    ['hybrid', lines(ROOT, TMPFS, CPU, UNIFIED), lines(...V1_LINES, '0::/')],
    ['v2', lines(ROOT, V2_ONLY), lines('0::/')],
    ['v2', lines(ROOT, TMPFS, SYSTEMD, UNIFIED), lines('2:name=systemd:/', '0::/')],
    ['none', lines(ROOT), lines('0::/')],
    ['none', lines(ROOT, TMPFS, SYSTEMD), lines('2:name=systemd:/')],
    ['none', '', ''],
  ])('is %s', (layout, mountinfo, procCgroup) => {
    expect(hierarchiesFrom(mountinfo, procCgroup, []).layout).toBe(layout)
  })
})

describe('the hierarchies', () => {
  it('are named as the kernel names them, with their controllers', () => {
    const mountinfo = lines(ROOT, TMPFS, CPU, CPUSET, SYSTEMD, UNIFIED)
    expect(hierarchiesFrom(mountinfo, lines(...V1_LINES, '0::/'), ['hugetlb']).hierarchies).toEqual([
      {
        id: 'cpu,cpuacct',
        version: 1,
        controllers: ['cpu', 'cpuacct'],
        mountPoint: '/sys/fs/cgroup/cpu,cpuacct',
        mountRoot: '/',
        isReadOnly: false,
      },
      {
        id: 'cpuset',
        version: 1,
        controllers: ['cpuset'],
        mountPoint: '/sys/fs/cgroup/cpuset',
        mountRoot: '/',
        isReadOnly: false,
      },
      {
        id: 'name=systemd',
        version: 1,
        controllers: [],
        mountPoint: '/sys/fs/cgroup/systemd',
        mountRoot: '/',
        isReadOnly: false,
      },
      {
        id: 'unified',
        version: 2,
        controllers: ['hugetlb'],
        mountPoint: '/sys/fs/cgroup/unified',
        mountRoot: '/',
        isReadOnly: false,
      },
    ])
  })

  const only = (...mounts: string[]): Hierarchy | undefined =>
    hierarchiesFrom(lines(ROOT, ...mounts), lines('4:cpu,cpuacct:/'), []).hierarchies[0]

  it('are found where they are mounted, whatever the place is called', () => {
    expect(only('21 1 0:21 / /mnt/my\\040cgroups/a rw - cgroup cgroup rw,cpu,cpuacct')?.mountPoint).toBe(
      '/mnt/my cgroups/a',
    )
  })

  it('are left out when they are not mounted', () => {
    expect(only()).toBeUndefined()
  })

  it('are left out when another mount covers them', () => {
    expect(only(TMPFS, CPU, '25 20 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw')).toBeUndefined()
  })

  it('are left out when the cgroup that was mounted is gone', () => {
    expect(only('21 1 0:21 /a//deleted /mnt rw - cgroup cgroup rw,cpu,cpuacct')).toBeUndefined()
  })

  it.each([
    ['whole rather than a sub-tree', '/ /a/long/way rw', '/sub /b rw', '/a/long/way'],
    ['writable rather than read-only', '/ /a/long/way rw', '/ /b ro', '/a/long/way'],
    ['whole and read-only rather than a writable sub-tree', '/ /a/long/way ro', '/sub /b rw', '/a/long/way'],
    ['at the shorter path', '/ /a/long/way rw', '/ /b rw', '/b'],
  ])('with several mounts are taken %s', (_, one, other, chosen) => {
    const mounts = [
      `21 1 0:21 ${one} - cgroup cgroup rw,cpu,cpuacct`,
      `22 1 0:21 ${other} - cgroup cgroup rw,cpu,cpuacct`,
    ]
    expect(only(...mounts)?.mountPoint).toBe(chosen)
    expect(only(...mounts.toReversed())?.mountPoint).toBe(chosen)
  })

  it.each([
    ['mount', '21 1 0:21 / /a ro - cgroup cgroup rw,cpu,cpuacct'],
    ['file system', '21 1 0:21 / /a rw - cgroup cgroup ro,cpu,cpuacct'],
  ])('are flagged when the %s is read-only', (_, mount) => {
    expect(only(mount)?.isReadOnly).toBe(true)
  })

  it('are told from mounts of other controllers', () => {
    expect(
      only('21 1 0:21 / /a rw - cgroup cgroup rw,cpuset', '22 1 0:22 / /b rw - cgroup cgroup rw,cpu'),
    ).toBeUndefined()
  })

  it('may have a name beside their controllers', () => {
    const mount = '21 1 0:21 / /a rw - cgroup cgroup rw,cpu,name=mine'
    const [hierarchy] = hierarchiesFrom(lines(ROOT, mount), lines('4:cpu,name=mine:/'), []).hierarchies
    expect(hierarchy).toMatchObject({ id: 'cpu,name=mine', controllers: ['cpu'], mountPoint: '/a' })
  })
})

it('take any text for what it is worth', () => {
  const word = fc.constantFrom(
    '1',
    '2',
    '0:3',
    '/',
    '/a',
    '..',
    'rw',
    '-',
    'cgroup',
    'cgroup2',
    'cpu',
    ':',
    '\\',
    '\n',
    ' ',
  )
  const text = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 60 }).map((words) => words.join(' ')),
  )
  forAll(fc.tuple(text, text), ([mountinfo, procCgroup]) => {
    expect(() => hierarchiesFrom(mountinfo, procCgroup, [])).not.toThrow()
  })
})

describe('the path below the mount point', () => {
  it.each([
    // mount root, path of /proc/<pid>/cgroup, path below the mount point
    ['/', '/', '/'],
    ['/', '/kata/a', '/kata/a'],
    ['/', '/a:b/c d', '/a:b/c d'],
    ['/docker/x', '/docker/x', '/'],
    ['/docker/x', '/docker/x/kata', '/kata'],
    ['/docker/x', '/docker/xy', undefined],
    ['/docker/x', '/docker', undefined],
    ['/docker/x', '/', undefined],
    // A cgroup namespace: its own root is "/", what is outside of it begins with "..".
    ['/', '/../sibling', undefined],
    ['/..', '/../sibling/a', '/sibling/a'],
    ['/..', '/..', '/'],
    ['/..', '/a', undefined],
    ['/..', '/../../a', undefined],
    ['/../..', '/../../a', '/a'],
  ])('of root %j and path %j is %j', (mountRoot, path, below) => {
    const hierarchy: Hierarchy = {
      id: 'cpu',
      version: 1,
      controllers: ['cpu'],
      mountPoint: '/sys/fs/cgroup/cpu',
      mountRoot,
      isReadOnly: false,
    }
    expect(pathBelowMount(hierarchy, path)).toBe(below)
  })
})

describe('the hierarchies in words', () => {
  it('tell where each one is, and what limits its use', () => {
    const cpu = CPU.replace(' rw -', ' ro -')
    const found = hierarchiesFrom(lines(ROOT, TMPFS, cpu, UNIFIED), lines(...V1_LINES, '0::/'), [
      'hugetlb',
      'misc',
    ])
    expect(describeHierarchies(found)).toBe(
      'cpu,cpuacct at /sys/fs/cgroup/cpu,cpuacct (read-only), unified (hugetlb misc) at /sys/fs/cgroup/unified',
    )
  })

  it('say so when there is none, or none of use', () => {
    expect(describeHierarchies({ hierarchies: [] })).toBe('none')
    expect(describeHierarchies(hierarchiesFrom(lines(ROOT, V2_ONLY), lines('0::/'), []))).toBe(
      'unified (no controllers) at /sys/fs/cgroup',
    )
  })
})
