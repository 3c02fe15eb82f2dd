/**
 * Every controller of cgroup v1 and v2, also those that only other kernels have. Source: kernel,
 * include/linux/cgroup_subsys.h and the legacy and default file lists of each controller; `irq` has a pressure file
 * only.
 */
const CONTROLLERS = [
  'blkio',
  'cpu',
  'cpuacct',
  'cpuset',
  'debug',
  'devices',
  'dmem',
  'freezer',
  'hugetlb',
  'io',
  'irq',
  'memory',
  'misc',
  'net_cls',
  'net_prio',
  'perf_event',
  'pids',
  'rdma',
]

const KERNEL_NAME = new RegExp(
  `^(?:tasks|notify_on_release|release_agent|(?:cgroup|${CONTROLLERS.join('|')})\\..*)$`,
)

/** True for a name that the kernel may use for a file of its own in a cgroup directory, such as `cpu.max`. */
export function isKernelFileName(name: string): boolean {
  return KERNEL_NAME.test(name)
}

/** True for the name of a controller that some kernel has. */
export function isControllerName(name: string): boolean {
  return CONTROLLERS.includes(name)
}
