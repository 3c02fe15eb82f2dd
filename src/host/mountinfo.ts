/** One line of /proc/<pid>/mountinfo. Source: proc_pid_mountinfo(5). */
export interface Mount {
  readonly id: number
  readonly parentId: number
  /**
   * The directory of the file system that is seen at the mount point: `/` unless it is a bind mount or a namespace's
   * view.
   */
  readonly root: string
  /** Relative to the root directory of the process that was asked. */
  readonly mountPoint: string
  /** Options of this mount, such as `rw` or `ro`, `relatime`. */
  readonly options: readonly string[]
  readonly fileSystem: string
  /** Options of the file system, such as `cpu,cpuacct` of a v1 hierarchy. */
  readonly superOptions: readonly string[]
}

/** The kernel writes space, tab, newline, backslash, and `,` or `#` in some fields as three octal digits. */
function unescapeOctal(field: string): string {
  return field.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
}

function parseLine(line: string): Mount | undefined {
  const fields = line.split(' ')
  const [id, parentId, , root, mountPoint, options] = fields
  // Any number of optional fields (`shared:1`, `master:2`) comes before the separator.
  const separator = fields.indexOf('-', 6)
  const [fileSystem, , superOptions] = fields.slice(separator + 1)
  if (root === undefined || mountPoint === undefined || options === undefined) return undefined
  if (separator === -1 || fileSystem === undefined || superOptions === undefined) return undefined
  return {
    id: Number(id),
    parentId: Number(parentId),
    root: unescapeOctal(root),
    mountPoint: unescapeOctal(mountPoint),
    options: options.split(','),
    fileSystem: unescapeOctal(fileSystem),
    superOptions: superOptions.split(',').map(unescapeOctal),
  }
}

/** Reads the text of /proc/<pid>/mountinfo. Lines of another form are skipped: newer kernels may add some. */
export function parseMountinfo(text: string): Mount[] {
  return text
    .split('\n')
    .map(parseLine)
    .filter((mount) => mount !== undefined)
}

function isBelow(path: string, ancestor: string): boolean {
  return path !== ancestor && path.startsWith(ancestor === '/' ? '/' : `${ancestor}/`)
}

/**
 * True when looking up the mount point leads to this mount. It does not when something is mounted over its root, or
 * when, on the way down, its parent has another mount on a directory above it; and so on for each of its ancestors.
 */
export function isReachable(mount: Mount, mounts: readonly Mount[]): boolean {
  // The first mount of all, rootfs, names itself as its parent; it is not its own child.
  const childrenOf = (parentId: number): Mount[] =>
    mounts.filter((other) => other.parentId === parentId && other.id !== parentId)
  if (childrenOf(mount.id).some(({ mountPoint }) => mountPoint === mount.mountPoint)) return false
  const byId = new Map(mounts.map((other) => [other.id, other]))
  const seen = new Set<Mount>()
  for (let at: Mount | undefined = mount; at !== undefined && !seen.has(at); at = byId.get(at.parentId)) {
    const { parentId, mountPoint } = at
    if (childrenOf(parentId).some((sibling) => isBelow(mountPoint, sibling.mountPoint))) return false
    seen.add(at)
  }
  return true
}
