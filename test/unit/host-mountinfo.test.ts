import { isReachable, parseMountinfo } from '../../src/host/mountinfo'

it('reads the fields of a line', () => {
  const line = '36 31 0:33 /sub /sys/fs/cgroup/cpu rw,nosuid shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct'
  expect(parseMountinfo(`${line}\n`)).toEqual([
    {
      id: 36,
      parentId: 31,
      root: '/sub',
      mountPoint: '/sys/fs/cgroup/cpu',
      options: ['rw', 'nosuid'],
      fileSystem: 'cgroup',
      superOptions: ['rw', 'cpu', 'cpuacct'],
    },
  ])
})

it('reads a line without optional fields, and one with a dash in a name', () => {
  const text = '32 31 0:29 / /a rw - cgroup2 - rw\n33 31 0:29 / /- rw propagate_from:2 - tmpfs none rw'
  expect(parseMountinfo(text).map(({ mountPoint, fileSystem }) => [mountPoint, fileSystem])).toEqual([
    ['/a', 'cgroup2'],
    ['/-', 'tmpfs'],
  ])
})

it('undoes the octal escapes', () => {
  const text =
    '32 31 0:29 /a\\134040b /mnt/a\\040b\\011c\\012d\\134 rw - cgroup none rw,release_agent=/a\\054b'
  expect(parseMountinfo(text)).toMatchObject([
    { root: '/a\\040b', mountPoint: '/mnt/a b\tc\nd\\', superOptions: ['rw', 'release_agent=/a,b'] },
  ])
})

it.each(['', '\n', 'nonsense', '1 2 0:3 / /a rw shared:1', '1 2 0:3 / /a rw - ext4', ' '])(
  'skips %j',
  (text) => {
    expect(parseMountinfo(text)).toEqual([])
  },
)

describe('a mount', () => {
  const reachable = (...lines: string[]): number[] => {
    const mounts = parseMountinfo(lines.join('\n'))
    return mounts.filter((mount) => isReachable(mount, mounts)).map(({ id }) => id)
  }
  const root = '1 0 0:1 / / rw - ext4 disk rw'

  it('is reachable through its parents', () => {
    expect(
      reachable(root, '2 1 0:2 / /sys rw - sysfs s rw', '3 2 0:3 / /sys/fs/cgroup rw - tmpfs t rw'),
    ).toEqual([1, 2, 3])
  })

  it('is hidden by one on its own root', () => {
    expect(reachable(root, '2 1 0:2 / /sys rw - sysfs s rw', '3 2 0:3 / /sys rw - tmpfs t rw')).toEqual([
      1, 3,
    ])
  })

  it('is hidden by a later one on a directory above it', () => {
    const covered = [
      '2 1 0:2 / /sys/fs/cgroup rw - tmpfs t rw',
      '3 2 0:3 / /sys/fs/cgroup/cpu rw - cgroup c rw,cpu',
    ]
    expect(reachable(root, ...covered, '4 1 0:4 / /sys/fs rw - tmpfs t rw')).toEqual([1, 4])
    expect(reachable(root, ...covered, '4 2 0:4 / /sys/fs/cgroup rw - tmpfs t rw')).toEqual([1, 4])
  })

  it('is not hidden by one beside it, or by one whose name merely begins the same', () => {
    expect(
      reachable(
        root,
        '2 1 0:2 / /a/bc rw - tmpfs t rw',
        '3 1 0:3 / /a/b rw - tmpfs t rw',
        '4 1 0:3 / /c rw - tmpfs t rw',
      ),
    ).toEqual([1, 2, 3, 4])
  })

  it('may be the only one that a chroot sees', () => {
    expect(reachable('7 3 0:3 / / rw - ext4 disk rw')).toEqual([7])
  })

  it('may name itself as its parent', () => {
    expect(reachable('1 1 0:1 / / rw - rootfs rootfs rw', '2 1 0:2 / /a rw - tmpfs t rw')).toEqual([1, 2])
  })
})
