/** One line of /proc/<pid>/cgroup. Source: cgroups(7), /proc/[pid]/cgroup. */
export interface ProcCgroup {
  /** 0 for the v2 hierarchy. */
  readonly hierarchyId: number
  /** As the kernel lists them: `['cpu', 'cpuacct']`, `['name=systemd']`, none for v2. */
  readonly controllers: readonly string[]
  /**
   * From the root of the reader's cgroup namespace, so it may begin with `/..`. On v2 the kernel adds ` (deleted)`
   * once the cgroup was removed under a process that had already ended.
   */
  readonly path: string
}

/** Reads the text of /proc/<pid>/cgroup. Only the first two colons separate: the path may hold more of them. */
export function parseProcCgroup(text: string): ProcCgroup[] {
  return text.split('\n').flatMap((line) => {
    const [, hierarchyId, controllers, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) return []
    return [
      {
        hierarchyId: Number(hierarchyId),
        controllers: controllers === '' ? [] : controllers.split(','),
        path,
      },
    ]
  })
}
