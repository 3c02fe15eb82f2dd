import type { OperationOutcome } from '../../src/engine/execute'
import { explain } from '../../src/engine/explain'
import { isVmcgError } from '../../src/errors'
import type { Operation, Plan } from '../../src/plan/operations'
import { type CgroupFields, hierarchy, LEAF, observed, SANDBOX } from '../support/sandbox-states'

const ENOENT = 2
const ESRCH = 3
const EACCES = 13
const EBUSY = 16
const EINVAL = 22
const ENOSPC = 28
const EROFS = 30
const MOUNT = '/sys/fs/cgroup/cpu'

const cpu = { hierarchy: 'cpu', path: LEAF } as const
const quota = (value: string): Operation => ({
  ...cpu,
  kind: 'write-knob',
  knob: 'cpu.cfs_quota_us',
  value,
  previous: '-1',
})

function explained(
  operation: Operation,
  errno: number,
  { ids = [], cgroups = {} }: { ids?: OperationOutcome['ids']; cgroups?: Record<string, CgroupFields> } = {},
) {
  const plan: Plan = {
    sandbox: 'vm1',
    mounts: { cpu: MOUNT, cpuset: '/sys/fs/cgroup/cpuset' },
    stages: [{ name: 'limits', operations: [operation] }],
    warnings: [],
  }
  const state = observed([hierarchy('cpu', { [LEAF]: {}, ...cgroups }), hierarchy('cpuset')])
  return explain({ operation, errno, microseconds: 1, ids }, plan, state)
}

it.each<[Operation, number, string, object]>([
  [
    quota('50000'),
    ENOENT,
    `vm1: cannot write 50000 to ${MOUNT}${LEAF}/cpu.cfs_quota_us: no such file or directory`,
    {
      code: 'ENOENT',
      errno: -ENOENT,
      syscall: 'write',
      path: `${MOUNT}${LEAF}/cpu.cfs_quota_us`,
      value: '50000',
    },
  ],
  [
    { ...cpu, kind: 'make-directory', shared: false },
    ENOENT,
    `vm1: cannot make ${MOUNT}${LEAF}: no such file or directory`,
    { code: 'ENOENT', syscall: 'mkdir', path: `${MOUNT}${LEAF}` },
  ],
  [
    { ...cpu, kind: 'tag', attribute: 'trusted.vmcg', owner: 'n' },
    ENOENT,
    `vm1: cannot tag ${MOUNT}${LEAF}: no such file or directory`,
    { code: 'ENOENT', syscall: 'setxattr', path: `${MOUNT}${LEAF}` },
  ],
  [
    { ...cpu, kind: 'remove-directory' },
    EBUSY,
    `vm1: cannot remove ${MOUNT}${LEAF}: resource busy or locked (threads or directories are still in it)`,
    { code: 'EBUSY', syscall: 'rmdir', hint: `cat ${MOUNT}${LEAF}/tasks; ls -d ${MOUNT}${LEAF}/*/` },
  ],
  [
    { hierarchy: 'cpuset', path: LEAF, kind: 'write-knob', knob: 'cpuset.cpus', value: '', previous: '0' },
    ENOSPC,
    `vm1: cannot write  to /sys/fs/cgroup/cpuset${LEAF}/cpuset.cpus: no space left on device (a cpuset that holds somebody, or has cpusets below, cannot be without CPUs or memory nodes)`,
    { code: 'ENOSPC', hint: expect.stringContaining('/cpuset.cpus') },
  ],
  [
    { hierarchy: 'cpuset', path: LEAF, kind: 'move-process', pid: 100 },
    ENOSPC,
    `vm1: cannot move process 100 to /sys/fs/cgroup/cpuset${LEAF}/cgroup.procs: no space left on device (a cpuset takes nobody while it has no CPUs or no memory nodes)`,
    { code: 'ENOSPC', hint: expect.stringContaining('/cpuset.mems') },
  ],
  [
    { ...cpu, kind: 'move-process', pid: 100 },
    ENOENT,
    `vm1: cannot move process 100 to ${MOUNT}${LEAF}/cgroup.procs: no such file or directory`,
    { code: 'ENOENT', syscall: 'write', value: '100' },
  ],
  [
    { ...cpu, kind: 'move-threads', tids: [102, 103] },
    ENOENT,
    `vm1: cannot move threads 102 103 to ${MOUNT}${LEAF}/tasks: no such file or directory`,
    { code: 'ENOENT', syscall: 'write', value: '102 103' },
  ],
])('names file, value and reason (%j)', (operation, errno, message, details) => {
  const error = explained(operation, errno)
  expect(isVmcgError(error)).toBe(true)
  expect(error).toMatchObject({ name: 'CgroupError', message, ...details })
})

it.each([EACCES, EROFS, 1])('says who may write, for errno %d', (errno) => {
  const error = explained(quota('50000'), errno)
  expect(error.hint).toBe(
    `vmcg needs write access to the cgroup tree: run it as root (id -u; ls -ld ${MOUNT}${LEAF})`,
  )
})

it('is about the threads that were refused, not those that had ended', () => {
  const error = explained({ ...cpu, kind: 'move-threads', tids: [101, 102, 103] }, 0, {
    ids: [
      { id: 101, errno: ESRCH },
      { id: 102, errno: EINVAL },
      { id: 103, errno: 0 },
    ],
  })
  expect(error).toMatchObject({ code: 'EINVAL', value: '102' })
  expect(error.message).toMatch(/threads 102 to .*real-time/)
})

describe('a quota that the kernel refuses', () => {
  const held = (us: string): CgroupFields => ({ knobs: { 'cpu.cfs_quota_us': us } })

  it('is explained by the one above that is too small', () => {
    const error = explained(quota('50000'), EINVAL, { cgroups: { '/kata': held('40000') } })
    expect(error.message).toContain('(/kata above it is held to 40000/100000 us')
    expect(error.hint).toContain(`${MOUNT}/kata/cpu.cfs_quota_us`)
  })

  it('is explained by the nearest of several, which is the tightest', () => {
    const cgroups = { '/kata': held('45000'), [SANDBOX]: held('40000') }
    expect(explained(quota('50000'), EINVAL, { cgroups }).message).toContain(`(${SANDBOX} above it`)
  })

  it('is not put down to one that would allow it', () => {
    const error = explained(quota('50000'), EINVAL, { cgroups: { '/kata': held('60000') } })
    expect(error.message).toMatch(/invalid argument$/)
    expect(error.hint).toBeUndefined()
  })

  it('is not explained where nothing above has one', () => {
    expect(explained(quota('500'), EINVAL).hint).toBeUndefined()
  })

  it('is judged with its period, whichever of the two was refused', () => {
    const period: Operation = {
      ...cpu,
      kind: 'write-knob',
      knob: 'cpu.cfs_period_us',
      value: '10000',
      previous: '100000',
    }
    const cgroups = { '/kata': held('40000'), [LEAF]: held('30000') }
    expect(explained(period, EINVAL, { cgroups }).message).toContain('/kata above it is held to 40000/100000')
  })
})
