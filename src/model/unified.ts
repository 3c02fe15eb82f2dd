/** The id of the cgroup v2 hierarchy. Those of v1 are named after their controllers. */
export const UNIFIED = 'unified'

/** The file of a cgroup that lists its threads, and takes single ones. */
export function threadsFile(hierarchy: string): 'cgroup.threads' | 'tasks' {
  return hierarchy === UNIFIED ? 'cgroup.threads' : 'tasks'
}

/** The words of `cgroup.controllers` or `cgroup.subtree_control`. */
export function controllerNames(text: string | undefined): readonly string[] {
  return (text ?? '').split(/\s+/).filter((name) => name !== '')
}
