import { SUBTREE_CONTROL, TYPE } from '../plan/after-v2'
import { parentPath } from '../plan/observed'
import type { Operation } from '../plan/operations'

/** Why the kernel refused, and what to do about it. */
export interface Why {
  readonly reason?: string | undefined
  readonly hint?: string | undefined
}

type Kind = Operation['kind'] | typeof SUBTREE_CONTROL | typeof TYPE

/** kernel/cgroup/cgroup.c, cgroup_procs_write_start; kernel/sched/core.c, sched_rt_can_attach. */
const BOUND: Why = {
  reason:
    'the kernel keeps those of its own threads where they are that are bound to a CPU, and with CONFIG_RT_GROUP_SCHED real-time threads out of here',
  hint: 'look at it: ps -L -o pid,tid,ppid,cls,comm -p <pid>; change it: chrt --other --pid 0 <tid>',
}

/** By what was tried and the kernel's errno, as Node names it (EOPNOTSUPP is ENOTSUP); `directory` is the cgroup's, `above` that of the one above it. */
const REASONS: Partial<Record<Kind, Readonly<Record<string, (directory: string, above: string) => Why>>>> = {
  [SUBTREE_CONTROL]: {
    EBUSY: (directory) => ({
      reason: 'it holds processes of its own, and the kernel hands no controllers down from such a cgroup',
      hint: `move them into a cgroup below it first: cat ${directory}/cgroup.procs`,
    }),
    ENOENT: (directory, above) => ({
      reason:
        'one of these controllers is not handed down to it, and the kernel takes the whole line or none of it',
      hint: `cat ${directory}/cgroup.controllers ${above}/cgroup.subtree_control`,
    }),
    EINVAL: () => ({
      reason: 'the kernel does not know one of these controllers, and takes the whole line or none of it',
      hint: 'cat /proc/cgroups',
    }),
    ENOTSUP: (directory) => ({
      reason: 'only cpu, cpuset, perf_event and pids can be handed down where threads are told apart',
      hint: `cat ${directory}/cgroup.type`,
    }),
    EACCES: (directory) => ({
      reason: 'only who was given that cgroup can hand controllers down from it',
      hint: `let root do it, or give it away (systemd: Delegate=yes): ls -l ${directory}/cgroup.subtree_control`,
    }),
  },
  [TYPE]: {
    ENOTSUP: (directory, above) => ({
      reason:
        'it holds somebody already, or the cgroup above it hands down controllers that cannot tell threads apart',
      hint: `cat ${directory}/cgroup.procs ${above}/cgroup.subtree_control`,
    }),
  },
  'make-directory': {
    EAGAIN: (_directory, above) => ({
      reason: 'a cgroup above it allows no more of them, or none so deep',
      hint: `cat ${above}/cgroup.max.descendants ${above}/cgroup.max.depth, and those further up`,
    }),
  },
  'move-process': {
    EINVAL: () => BOUND,
    EBUSY: (directory) => ({
      reason: 'it hands controllers down, and the kernel puts no processes into such a cgroup',
      hint: `cat ${directory}/cgroup.subtree_control`,
    }),
    ENOTSUP: (directory) => ({
      reason: 'that cgroup is beside threaded ones, and can hold nobody',
      hint: `cat ${directory}/cgroup.type`,
    }),
    EACCES: (directory) => ({
      reason:
        'who moves a process needs write access to cgroup.procs of the nearest cgroup above both where it is and where it goes',
      hint: `start it inside, or let root move it: ls -l ${directory}/cgroup.procs; cat /proc/<pid>/cgroup`,
    }),
  },
  'move-threads': {
    EINVAL: () => BOUND,
    ENOTSUP: (directory) => ({
      reason: 'its process is in another part of the tree, and a thread cannot leave its process there',
      hint: `move the process first: echo <pid> > ${directory}/cgroup.procs`,
    }),
  },
  'remove-directory': {
    EBUSY: (directory) => ({
      reason: 'threads or directories are still in it',
      hint: `cat ${directory}/cgroup.threads; ls -d ${directory}/*/`,
    }),
  },
}

/**
 * What v2 has to say beyond the kernel's own words; undefined where that is nothing.
 *
 * @param code the kernel's, such as `'EBUSY'`.
 * @param mountPoint of the hierarchy.
 *
 * Source: kernel, Documentation/admin-guide/cgroup-v2.rst; kernel/cgroup/cgroup.c, cgroup_migrate_vet_dst,
 * cgroup_vet_subtree_control_enable, cgroup_enable_threaded, cgroup_attach_permissions.
 */
export function whyRefusedV2(operation: Operation, code: string, mountPoint: string): Why | undefined {
  const directory = `${mountPoint}${operation.path === '/' ? '' : operation.path}`
  const above = `${mountPoint}${operation.path === '/' ? '' : parentPath(operation.path)}`
  const known = REASONS[kindOf(operation)]?.[code]
  if (known !== undefined) return known(directory, above.replace(/\/$/, ''))
  if (operation.kind !== 'write-knob' || code !== 'ENOENT') return undefined
  const controller = operation.knob.slice(0, operation.knob.indexOf('.'))
  return {
    reason: `the kernel has no such file, or ${controller} is not handed down to this cgroup any more`,
    hint: `cat ${directory}/cgroup.controllers`,
  }
}

function kindOf(operation: Operation): Kind {
  if (operation.kind !== 'write-knob') return operation.kind
  return operation.knob === SUBTREE_CONTROL || operation.knob === TYPE ? operation.knob : operation.kind
}
