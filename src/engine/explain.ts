import { CgroupError, errnoName, errnoText } from '../errors'
import { threadsFile, UNIFIED } from '../model/unified'
import { after } from '../plan/after'
import type { Observed, ObservedCgroup } from '../plan/observed'
import { knobValue, parentPath, pathChain } from '../plan/observed'
import { type Operation, operationsOf, type Plan, type WriteKnob } from '../plan/operations'
import type { OperationOutcome } from './execute'
import { type Why, whyRefusedV2 } from './explain-v2'

/** An outcome that failed, as an error that names the file, the value, the kernel's reason and what to do. */
export function explain(outcome: OperationOutcome, plan: Plan, observed: Observed): CgroupError {
  const { operation, cause } = outcome
  if (cause !== undefined) return cause
  const errno = failedErrno(outcome)
  const { path, value, syscall } = target(outcome, plan)
  const { reason, hint } = whyRefused(outcome, path, plan, observed)
  const what = value === undefined ? path : `${value} to ${path}`
  return new CgroupError(
    errnoName(errno),
    `${plan.sandbox}: ${VERBS[operation.kind]} ${what}: ${errnoText(errno)}${reason === undefined ? '' : ` (${reason})`}`,
    { errno: -errno, syscall, path, value, hint },
  )
}

/** The errno of an operation, or of the first of its ids that was refused; 0 when all went well. */
export function failedErrno(outcome: OperationOutcome): number {
  return outcome.errno === 0 ? (refusedIds(outcome)[0]?.errno ?? 0) : outcome.errno
}

const ESRCH = 3

/** The ids that the kernel would not move; a thread that has ended is not refused. */
export function refusedIds({ ids }: OperationOutcome): OperationOutcome['ids'] {
  return ids.filter(({ errno }) => errno > 0 && errno !== ESRCH)
}

const VERBS: Readonly<Record<Operation['kind'], string>> = {
  'make-directory': 'cannot make',
  tag: 'cannot tag',
  'write-knob': 'cannot write',
  'device-program': 'cannot attach',
  freeze: 'cannot freeze by',
  thaw: 'cannot thaw by',
  'move-process': 'cannot move process',
  'move-threads': 'cannot move threads',
  'remove-directory': 'cannot remove',
}

interface Target {
  readonly path: string
  readonly value: string | undefined
  readonly syscall: string
}

function target(outcome: OperationOutcome, plan: Plan): Target {
  const { operation } = outcome
  const directory = `${plan.mounts[operation.hierarchy] ?? ''}${operation.path}`
  switch (operation.kind) {
    case 'make-directory':
      return { path: directory, value: undefined, syscall: 'mkdir' }
    case 'tag':
      return { path: directory, value: undefined, syscall: 'setxattr' }
    case 'write-knob':
      return { path: `${directory}/${operation.knob}`, value: operation.value, syscall: 'write' }
    case 'device-program':
      return { path: directory, value: operation.program?.name, syscall: 'bpf' }
    case 'freeze':
      return { path: `${directory}/freezer.state`, value: 'FROZEN', syscall: 'write' }
    case 'thaw':
      return { path: `${directory}/freezer.state`, value: 'THAWED', syscall: 'write' }
    case 'move-process':
      return { path: `${directory}/cgroup.procs`, value: String(operation.pid), syscall: 'write' }
    case 'move-threads': {
      const refused = refusedIds(outcome).map(({ id }) => id)
      const tids = refused.length === 0 ? operation.tids : refused
      const path = `${directory}/${threadsFile(operation.hierarchy)}`
      return { path, value: tids.join(' '), syscall: 'write' }
    }
    case 'remove-directory':
      return { path: directory, value: undefined, syscall: 'rmdir' }
  }
}

/** kernel/sched/core.c, sched_rt_can_attach, with CONFIG_RT_GROUP_SCHED; kernel/cgroup/cgroup.c, cgroup_procs_write_start. */
const REAL_TIME_RULE =
  'no real-time thread may enter a cgroup whose cpu.rt_runtime_us is 0, and no thread of the kernel that is bound to a CPU any'

/** What a cpuset has to have, by the beginning of its files' names. */
const CPUSET = /^cpuset\./
const BLOCK_DEVICES = /^(?:blkio|io)\./

function whyRefused(outcome: OperationOutcome, path: string, plan: Plan, observed: Observed): Why {
  const { operation } = outcome
  const code = errnoName(failedErrno(outcome))
  if (operation.hierarchy === UNIFIED) {
    const why = whyRefusedV2(operation, code, plan.mounts[UNIFIED] ?? '')
    if (why !== undefined) return why
  }
  if (operation.kind === 'write-knob' && operation.knob === 'devices.allow' && code === 'EPERM') {
    const above = parentPath(operation.path)
    const directory = `${plan.mounts[operation.hierarchy] ?? ''}${above === '/' ? '' : above}`
    return {
      reason: `${above} above it does not allow that, and the kernel lets no cgroup allow more than the one above it`,
      hint: `ask for less, or allow it there first: echo '${operation.value}' > ${directory}/devices.allow`,
    }
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return {
      hint: `vmcg needs write access to the cgroup tree: run it as root (id -u; ls -ld ${parentPath(path)})`,
    }
  }
  if (operation.kind === 'write-knob' && operation.knob.startsWith('cpu.cfs_') && code === 'EINVAL') {
    return quotaReason(operation, plan, observed)
  }
  if (operation.kind === 'write-knob' && operation.knob.startsWith('cpu.rt_') && code === 'EINVAL') {
    return {
      reason:
        'no cgroup may have more real-time bandwidth than is left in the one above it, and a new one has none',
      hint: `cat ${parentPath(parentPath(path))}/cpu.rt_runtime_us`,
    }
  }
  if (operation.kind === 'write-knob' && BLOCK_DEVICES.test(operation.knob) && code === 'ENODEV') {
    return { reason: 'there is no block device with these numbers', hint: 'lsblk -o NAME,MAJ:MIN' }
  }
  if (operation.kind === 'write-knob' && operation.knob.startsWith('memory.') && code === 'EBUSY') {
    return {
      reason: 'more than that is in use, and the kernel cannot reclaim enough of it',
      hint: `ask for more, or let go of some first: cat ${parentPath(path)}/memory.usage_in_bytes`,
    }
  }
  if (operation.kind === 'write-knob' && CPUSET.test(operation.knob) && code === 'ENOSPC') {
    return {
      reason: 'a cpuset that holds somebody, or has cpusets below, cannot be without CPUs or memory nodes',
      hint: `name some that are there: cat ${parentPath(parentPath(path))}/${operation.knob}`,
    }
  }
  if (operation.kind.startsWith('move-') && code === 'ENOSPC') {
    return {
      reason: 'a cpuset takes nobody while it has no CPUs or no memory nodes',
      hint: `cat ${parentPath(path)}/cpuset.cpus ${parentPath(path)}/cpuset.mems`,
    }
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
function quotaReason(operation: WriteKnob, plan: Plan, observed: Observed): Why {
  const asked = operationsOf(plan).reduce(after, observed)
  const hierarchy = asked.hierarchies.find(({ id }) => id === operation.hierarchy)
  const bandwidth = (path: string) => bandwidthOf(path, hierarchy?.cgroups[path])
  const own = bandwidth(operation.path)
  // The nearest is the tightest, since the rule holds for those above as well.
  const above = pathChain(parentPath(operation.path))
    .map(bandwidth)
    .findLast(({ quota }) => quota >= 0)
  if (above === undefined || own.quota * above.period <= above.quota * own.period) return {}
  const { path, quota, period } = above
  return {
    reason: `${path} above it is held to ${quota}/${period} us, and the kernel lets no cgroup have more than one above it`,
    hint: `ask for at most that, or raise it first: ${hierarchy?.mountPoint ?? ''}${path}/cpu.cfs_quota_us`,
  }
}

/** Quota and period in microseconds; a quota below 0 is none. */
function bandwidthOf(path: string, cgroup: ObservedCgroup | undefined) {
  return {
    path,
    quota: Number(knobValue(cgroup, 'cpu.cfs_quota_us') ?? -1),
    period: Number(knobValue(cgroup, 'cpu.cfs_period_us')),
  }
}
