import { isReachable, type Mount, parseMountinfo } from './mountinfo'
import { type ProcCgroup, parseProcCgroup } from './proc-cgroup'

/** One mounted cgroup tree. */
export interface Hierarchy {
  /** The v1 controllers as the kernel lists them, such as `'cpu,cpuacct'` or `'name=systemd'`; `'unified'` for v2. */
  readonly id: string
  readonly version: 1 | 2
  /** Controllers that can be used here; a name of a v1 hierarchy (`name=systemd`) is none. */
  readonly controllers: readonly string[]
  /** Absolute path, as this process sees it. */
  readonly mountPoint: string
  /** The cgroup that is seen at the mount point: `/`, or a sub-tree's path under a bind mount or a cgroup namespace. */
  readonly mountRoot: string
  /** True when it is mounted read-only everywhere. */
  readonly isReadOnly: boolean
}

/**
 * `v1`: controllers on v1 only. `hybrid`: controllers on v1, and a v2 mount beside them. `v2`: a v2 mount, and nothing
 * on v1 but perhaps named hierarchies without a controller. `none`: no controller can be reached.
 */
export type CgroupLayout = 'v1' | 'hybrid' | 'v2' | 'none'

export interface CgroupMounts {
  readonly layout: CgroupLayout
  readonly hierarchies: readonly Hierarchy[]
}

/** A directory that was removed while it was mounted; nothing can be made below it. */
const DELETED = '//deleted'

function isReadOnly(mount: Mount): boolean {
  return mount.options.includes('ro') || mount.superOptions.includes('ro')
}

/** Negative when `a` serves better: the whole hierarchy, then a writable view of it, then the shorter path. */
function compareMounts(a: Mount, b: Mount): number {
  return (
    Number(a.root !== '/') - Number(b.root !== '/') ||
    Number(isReadOnly(a)) - Number(isReadOnly(b)) ||
    a.mountPoint.length - b.mountPoint.length
  )
}

function hierarchyAt(mount: Mount, id: string, version: 1 | 2, controllers: readonly string[]): Hierarchy {
  const { mountPoint, root } = mount
  return { id, version, controllers, mountPoint, mountRoot: root, isReadOnly: isReadOnly(mount) }
}

function layoutOf(hierarchies: readonly Hierarchy[]): CgroupLayout {
  const hasV1 = hierarchies.some(({ version, controllers }) => version === 1 && controllers.length > 0)
  const hasV2 = hierarchies.some(({ version }) => version === 2)
  if (hasV1) return hasV2 ? 'hybrid' : 'v1'
  return hasV2 ? 'v2' : 'none'
}

/**
 * Which hierarchies a process can reach, and where. Pure.
 *
 * A hierarchy with several mounts is taken where its root is `/`, then where it is writable, then at the shortest
 * path. Mounts that another one covers are left out, and so are hierarchies that are not mounted at all.
 *
 * @param mountinfo Text of /proc/self/mountinfo.
 * @param procCgroup Text of /proc/self/cgroup: it tells controllers from the other options of a v1 mount.
 * @param v2Controllers What `cgroup.controllers` at the v2 mount point lists; what is bound to v1 is not among them.
 * @returns v1 in the kernel's order (newest first), then v2.
 */
export function hierarchiesFrom(
  mountinfo: string,
  procCgroup: string,
  v2Controllers: readonly string[],
): CgroupMounts {
  const mounts = parseMountinfo(mountinfo)
  const usable = mounts
    .filter(({ fileSystem, root }) => fileSystem.startsWith('cgroup') && !root.endsWith(DELETED))
    .filter((mount) => isReachable(mount, mounts))
    .sort(compareMounts)

  const v1At = ({ controllers }: ProcCgroup): Hierarchy[] => {
    const mount = usable.find(
      ({ fileSystem, superOptions }) =>
        fileSystem === 'cgroup' && controllers.every((controller) => superOptions.includes(controller)),
    )
    const usableControllers = controllers.filter((controller) => !controller.startsWith('name='))
    return mount === undefined ? [] : [hierarchyAt(mount, controllers.join(','), 1, usableControllers)]
  }
  const v1 = parseProcCgroup(procCgroup)
    .filter(({ hierarchyId }) => hierarchyId !== 0)
    .flatMap(v1At)
  const v2 = usable.find(({ fileSystem }) => fileSystem === 'cgroup2')
  const hierarchies = v2 === undefined ? v1 : [...v1, hierarchyAt(v2, 'unified', 2, v2Controllers)]
  return { layout: layoutOf(hierarchies), hierarchies }
}

/**
 * Where a cgroup lies below a hierarchy's mount point. Pure.
 *
 * @param procCgroupPath A path of /proc/<pid>/cgroup, read in the same cgroup namespace as the mount's root.
 * @returns A path that begins with `/`; `undefined` when the cgroup cannot be seen at the mount point: beside the
 *   sub-tree that is mounted there, or outside of the cgroup namespace.
 *
 * Source: cgroup_namespaces(7), the root field of mountinfo and `/..` in /proc/<pid>/cgroup.
 */
export function pathBelowMount(hierarchy: Hierarchy, procCgroupPath: string): string | undefined {
  const root = hierarchy.mountRoot.split('/').filter((name) => name !== '')
  const path = procCgroupPath.split('/').filter((name) => name !== '')
  if (!root.every((name, index) => path[index] === name)) return undefined
  const below = path.slice(root.length)
  return below[0] === '..' ? undefined : `/${below.join('/')}`
}
