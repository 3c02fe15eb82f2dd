import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkObject, checkOptionalText } from '../model/argument'
import { type CgroupLayout, type CgroupMounts, type Hierarchy, hierarchiesFrom } from './hierarchies'

/** What this process can do with cgroups here, as it was when asked. */
export interface Host {
  readonly layout: CgroupLayout
  readonly hierarchies: readonly Hierarchy[]
  /** The hierarchy that has the controller, such as `'cpu'`; undefined when none that is mounted has it. */
  controller(name: string): Hierarchy | undefined
  /** The kernel's release, such as `'6.18.44'`. */
  readonly kernel: string
  /** True when the effective user id is 0, in whatever user namespace this process runs. */
  readonly isRoot: boolean
  /**
   * Controllers that are mounted where this user may not make the cgroup in question; undefined for the host's root.
   */
  readonly withheld?: readonly string[] | undefined
}

export interface DetectHostOptions {
  /** Where proc is mounted. Default: `/proc`. */
  readonly procRoot?: string | undefined
}

/** The controllers that v2 offers at its mount point; none where the file cannot be read. */
export function readV2Controllers(mountPoint: string): string[] {
  try {
    return readFileSync(join(mountPoint, 'cgroup.controllers'), 'utf8').split(/\s+/).filter(Boolean)
  } catch {
    return []
  }
}

/** What the kernel says of mounts, of this process's cgroups, and of its own release. */
export interface HostTexts {
  readonly mountinfo: string
  readonly procCgroup: string
  readonly release: string
}

/** @throws Node's own error when proc is not mounted. */
export function readHostTexts(procRoot = '/proc'): HostTexts {
  const read = (...names: string[]): string => readFileSync(join(procRoot, ...names), 'utf8')
  return {
    mountinfo: read('self', 'mountinfo'),
    procCgroup: read('self', 'cgroup'),
    release: read('sys', 'kernel', 'osrelease'),
  }
}

function findHierarchies(mountinfo: string, procCgroup: string): CgroupMounts {
  const mounted = hierarchiesFrom(mountinfo, procCgroup, [])
  const v2 = mounted.hierarchies.find(({ version }) => version === 2)
  return v2 === undefined ? mounted : hierarchiesFrom(mountinfo, procCgroup, readV2Controllers(v2.mountPoint))
}

/**
 * Looks once at the mounted hierarchies and the kernel. Reads a handful of small files, synchronously, and changes
 * nothing.
 *
 * @throws Node's own error when proc is not mounted; `ERR_VMCG_INVALID_ARGUMENT` for options of the wrong type.
 */
export function detectHost(options: DetectHostOptions = {}): Host {
  checkObject('options', options)
  checkOptionalText('procRoot', options.procRoot)
  return hostFrom(readHostTexts(options.procRoot))
}

/** The host that these texts tell of; one small file is read where they name a v2 mount. */
export function hostFrom({ mountinfo, procCgroup, release }: HostTexts): Host {
  const { layout, hierarchies } = findHierarchies(mountinfo, procCgroup)
  return Object.freeze({
    layout,
    hierarchies,
    controller: (name: string) => hierarchies.find(({ controllers }) => controllers.includes(name)),
    kernel: release.trim(),
    isRoot: process.geteuid?.() === 0,
  })
}

/**
 * The hierarchies in words, for messages: `'cpu at /sys/fs/cgroup/cpu, unified (hugetlb) at /sys/fs/cgroup/unified'`.
 */
export function describeHierarchies(host: Pick<Host, 'hierarchies'>): string {
  if (host.hierarchies.length === 0) return 'none'
  return host.hierarchies
    .map(({ id, version, controllers, mountPoint, isReadOnly }) => {
      const offered = version === 2 ? ` (${controllers.join(' ') || 'no controllers'})` : ''
      return `${id}${offered} at ${mountPoint}${isReadOnly ? ' (read-only)' : ''}`
    })
    .join(', ')
}
