import { CgroupError, errnoName, errnoText } from '../errors'
import type { Observed } from '../plan/observed'
import { knobValue, parentPath, pathChain } from '../plan/observed'
import type { Operation, Plan } from '../plan/operations'
import type { OperationOutcome } from './execute'

/** An outcome that failed, as an error that names the file, the value, the kernel's reason and what to do. */
export function explain(outcome: OperationOutcome, plan: Plan, observed: Observed): CgroupError {
  const { operation } = outcome
  const errno = failedErrno(outcome)
  const { path, value, syscall } = target(operation, plan)
  const { reason, hint } = whyRefused(operation, errno, path, observed)
  const what = value === undefined ? path : `${value} to ${path}`
  return new CgroupError(
    errnoName(errno),
    `sandbox ${plan.sandbox}: ${VERBS[operation.kind]} ${what}: ${errnoText(errno)}${reason === undefined ? '' : ` (${reason})`}`,
    { errno: -errno, syscall, path, value, hint },
  )
}

/** The errno of an operation, or of the first of its ids that failed; 0 when all went well. */
export function failedErrno(outcome: OperationOutcome): number {
  if (outcome.errno !== 0) return outcome.errno
  return outcome.ids.find(({ errno }) => errno !== 0)?.errno ?? 0
}

const VERBS: Readonly<Record<Operation['kind'], string>> = {
  'make-directory': 'cannot make',
  tag: 'cannot tag',
  'write-knob': 'cannot write',
  'move-process': 'cannot move process',
  'move-threads': 'cannot move threads',
  'remove-directory': 'cannot remove',
}

interface Target {
  readonly path: string
  readonly value: string | undefined
  readonly syscall: string
}

function target(operation: Operation, plan: Plan): Target {
  const directory = `${plan.mounts[operation.hierarchy] ?? ''}${operation.path}`
  switch (operation.kind) {
    case 'make-directory':
      return { path: directory, value: undefined, syscall: 'mkdir' }
    case 'tag':
      return { path: directory, value: undefined, syscall: 'setxattr' }
    case 'write-knob':
      return { path: `${directory}/${operation.knob}`, value: operation.value, syscall: 'write' }
    case 'move-process':
      return { path: `${directory}/cgroup.procs`, value: String(operation.pid), syscall: 'write' }
    case 'move-threads':
      return { path: `${directory}/tasks`, value: operation.tids.join(' '), syscall: 'write' }
    case 'remove-directory':
      return { path: directory, value: undefined, syscall: 'rmdir' }
  }
}

interface Why {
  readonly reason?: string | undefined
  readonly hint?: string | undefined
}

/** kernel/sched/core.c, sched_rt_can_attach, with CONFIG_RT_GROUP_SCHED. */
const REAL_TIME_RULE = 'no real-time thread may enter a cgroup whose cpu.rt_runtime_us is 0'

function whyRefused(operation: Operation, errno: number, path: string, observed: Observed): Why {
  const code = errnoName(errno)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return {
      hint: `vmcg needs write access to the cgroup tree: run it as root (id -u; ls -ld ${parentPath(path)})`,
    }
  }
  if (operation.kind === 'write-knob' && operation.knob.startsWith('cpu.cfs_') && code === 'EINVAL') {
    return quotaReason(operation, observed)
  }
  if (operation.kind === 'move-process' && code === 'EINVAL') {
    return {
      reason: `it takes all of its threads or none, and ${REAL_TIME_RULE}`,
      hint: `find it: chrt --all-tasks --pid ${operation.pid}; change it: chrt --other --pid 0 <tid>`,
    }
  }
  if (operation.kind === 'move-threads' && code === 'EINVAL') {
    return {
      reason: REAL_TIME_RULE,
      hint: 'look at it: chrt --pid <tid>; change it: chrt --other --pid 0 <tid>',
    }
  }
  if (operation.kind === 'remove-directory' && code === 'EBUSY') {
    return { reason: 'threads or directories are still in it', hint: `cat ${path}/tasks; ls -d ${path}/*/` }
  }
  return {}
}

/** kernel/sched/core.c, tg_cfs_schedulable: no cgroup may have a larger quota, for its period, than one above it. */
function quotaReason(operation: Operation, observed: Observed): Why {
  const hierarchy = observed.hierarchies.find(({ id }) => id === operation.hierarchy)
  for (const path of pathChain(parentPath(operation.path))) {
    const quota = knobValue(hierarchy?.cgroups[path], 'cpu.cfs_quota_us')
    const period = knobValue(hierarchy?.cgroups[path], 'cpu.cfs_period_us')
    if (quota !== undefined && Number(quota) >= 0) {
      return {
        reason: `${path} above it is held to ${quota}/${period} us, and the kernel lets no cgroup have more than one above it`,
        hint: `ask for at most that, or raise it first: ${hierarchy?.mountPoint ?? ''}${path}/cpu.cfs_quota_us`,
      }
    }
  }
  return {}
}
