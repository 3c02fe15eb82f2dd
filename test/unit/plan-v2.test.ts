import type { Desired } from '../../src/plan/desired'
import type { Observed } from '../../src/plan/observed'
import { isEmptyPlan, operationsOf } from '../../src/plan/operations'
import { planSandbox } from '../../src/plan/plan-sandbox'
import { SimulatedKernel } from '../../src/plan/simulated-kernel'
import { planTeardown } from '../../src/plan/teardown'
import {
  desired,
  hierarchy,
  LEAF,
  OWNER,
  observed,
  processOf,
  SANDBOX,
  tidsIn,
  VCPUS,
  VMM,
  VMM_THREADS,
  vmm,
  withVm,
} from '../support/sandbox-states'
import { madeUnified, unified } from '../support/sandbox-states-v2'

/** One operation a word or two, to be read as a list. */
function steps(wanted: Desired, state: Observed): readonly string[] {
  return operationsOf(planSandbox(wanted, state)).map((operation) => {
    const { kind, path } = operation
    if (kind === 'write-knob') return `${path} ${operation.knob} ${operation.value}`
    if (kind === 'move-process') return `process ${operation.pid} > ${path}`
    if (kind === 'move-threads') return `threads ${operation.tids.join(' ')} > ${path}`
    return `${kind} ${path}`
  })
}

/** What the simulated kernel says after a plan that it must take as a whole. */
function carriedOut(wanted: Desired, state: Observed): Observed {
  const kernel = new SimulatedKernel(state)
  for (const operation of operationsOf(planSandbox(wanted, state))) {
    const { errno, ids } = kernel.execute(operation)
    expect({ operation, errno, refused: ids.filter((id) => id.errno !== 0) }).toEqual({
      operation,
      errno: 0,
      refused: [],
    })
  }
  return kernel.observe()
}

const QUOTA = { resources: { cpu: { quota: 50_000, period: 100_000 } } }

describe('a sandbox on v2', () => {
  test('is made from the top: controllers handed down, a threaded leaf, limits, then the process and its vCPUs', () => {
    expect(steps(desired({ ...withVm, ...QUOTA }), observed([unified()], [vmm]))).toEqual([
      'make-directory /kata',
      '/ cgroup.subtree_control +cpu',
      '/kata cgroup.subtree_control +cpu',
      `make-directory ${SANDBOX}`,
      `tag ${SANDBOX}`,
      `make-directory ${LEAF}`,
      `tag ${LEAF}`,
      `${LEAF} cgroup.type threaded`,
      `${SANDBOX} cgroup.subtree_control +cpu`,
      `${LEAF} cpu.max 50000 100000`,
      `${LEAF} cpu.weight 200`,
      `process ${VMM} > ${SANDBOX}`,
      `threads ${VCPUS.join(' ')} > ${LEAF}`,
    ])
  })

  test('is then as it should be', () => {
    const wanted = desired({ ...withVm, ...QUOTA })
    const state = carriedOut(wanted, observed([unified()], [vmm]))
    expect(isEmptyPlan(planSandbox(wanted, state))).toBe(true)
    expect(tidsIn(state, 'unified', LEAF)).toEqual(VCPUS)
  })

  test('gets only the controllers that a limit needs, and only the leaf those that tell threads apart', () => {
    const wanted = desired({ resources: { cpu: { cpus: '1' }, pids: { limit: 10 } } })
    const done = steps(wanted, observed([unified()]))
    expect(done).toContain('/ cgroup.subtree_control +cpuset +cpu +pids')
    expect(done).toContain(`${SANDBOX} cgroup.subtree_control +cpuset +cpu`)
    expect(done).toContain(`${SANDBOX} pids.max 10`)
    expect(done).toContain(`${LEAF} cpuset.cpus 1`)
    carriedOut(wanted, observed([unified()]))
  })

  test('is not entered again as a whole once a vCPU is in the leaf', () => {
    const made = madeUnified({
      sandbox: { tids: [VMM], pids: [VMM] },
      vcpu: { tids: VMM_THREADS.filter((tid) => tid !== VMM), knobs: { 'cpu.weight': '200' } },
    })
    expect(steps(desired(withVm), observed([made], [vmm]))).toEqual([`threads 101 > ${SANDBOX}`])
  })

  test('asks again for a controller that somebody has taken away', () => {
    const made = madeUnified({ sandbox: { enabled: '' }, vcpu: { knobs: { 'cpu.weight': '200' } } })
    expect(steps(desired(), observed([made]))).toEqual([`${SANDBOX} cgroup.subtree_control +cpu`])
  })
})

describe('a cgroup without a leaf on v2', () => {
  const managed = desired({ hasLeaf: false, helpers: [VMM], resources: {} })

  test('has no controller handed down that nobody asks for: a user may have been given others only', () => {
    expect(steps(managed, observed([unified()], [vmm]))).toEqual([
      'make-directory /kata',
      `make-directory ${SANDBOX}`,
      `tag ${SANDBOX}`,
      `process ${VMM} > ${SANDBOX}`,
    ])
    const limited = { ...managed, resources: { pids: { limit: 5 } } }
    expect(steps(limited, observed([unified()], [vmm]))).toContain('/ cgroup.subtree_control +pids')
  })

  test('keeps those of limits that are to be lifted', () => {
    const before = [{ hierarchy: 'unified', path: SANDBOX, knob: 'cpu.max', value: '50000 100000' }]
    expect(steps({ ...managed, managed: before }, observed([unified()], [vmm]))).toContain(
      '/kata cgroup.subtree_control +cpu',
    )
  })
})

describe('CPUs that nobody asks for any more on v2', () => {
  const narrow = (vm: Partial<Desired>) =>
    carriedOut(desired({ ...vm, resources: { cpu: { cpus: '1' } } }), observed([unified()], [vmm]))
  const managed = [{ hierarchy: 'unified', path: LEAF, knob: 'cpuset.cpus', value: '1' }]

  test('are the parent’s again', () => {
    expect(steps(desired({ managed }), narrow({}))).toContain(`${LEAF} cpuset.cpus \n`)
  })

  test('are all that the host has while somebody is inside: older kernels empty no such list', () => {
    const wanted = desired({ ...withVm, managed })
    expect(steps(wanted, narrow(withVm))).toContain(`${LEAF} cpuset.cpus 0-3`)
    expect(steps(wanted, carriedOut(wanted, narrow(withVm)))).toEqual([])
  })
})

describe('before anything is written on v2', () => {
  test('a parent with processes of its own is refused, with its name and the way out', () => {
    const kata = { '/kata': { pids: [7, 8] } }
    expect(() => planSandbox(desired(), observed([unified(kata, 'cpu')]))).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_INTERNAL_PROCESSES',
        path: '/sys/fs/cgroup/kata/cgroup.subtree_control',
        value: '+cpu',
        hint: expect.stringContaining('cat /sys/fs/cgroup/kata/cgroup.procs'),
      }),
    )
  })

  test.each([
    ['a parent that is threaded', { '/kata': { type: 'threaded' } }, '/kata'],
    ['a parent that has threaded children', { '/kata': { type: 'domain threaded' } }, '/kata'],
    [
      'a sandbox that somebody has made invalid',
      { '/kata': { enabled: 'cpu' }, [SANDBOX]: { type: 'domain invalid', owner: OWNER } },
      SANDBOX,
    ],
    [
      'a leaf that holds threads and is not threaded',
      { '/kata': { enabled: 'cpu' }, [SANDBOX]: { owner: OWNER }, [LEAF]: { owner: OWNER, tids: [7] } },
      LEAF,
    ],
  ])('%s is refused', (_, cgroups, path) => {
    expect(() => planSandbox(desired(), observed([unified(cgroups, 'cpu')]))).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_CGROUP_TYPE', path: `/sys/fs/cgroup${path}/cgroup.type` }),
    )
  })

  test('CPUs are refused that are in effect nowhere above', () => {
    const wanted = desired({ resources: { cpu: { cpus: '2-5' } } })
    expect(() => planSandbox(wanted, observed([unified()]))).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_OUT_OF_RANGE', value: '2-5' }),
    )
  })
})

describe('a hybrid host', () => {
  test('has threads where cpu is, and on v2 only what lives there', () => {
    const wanted = desired({ ...withVm, resources: { ...QUOTA.resources, pids: { limit: 10 } } })
    const v2 = { ...unified(), controllers: ['pids'] }
    const done = steps(wanted, observed([hierarchy('cpu'), v2], [vmm]))
    expect(done).toContain(`${LEAF} cpu.cfs_quota_us 50000`)
    expect(done).toContain(`${SANDBOX} pids.max 10`)
    expect(done.filter((step) => step.includes('cgroup.type'))).toEqual([])
    expect(done.filter((step) => step === `process ${VMM} > ${SANDBOX}`)).toHaveLength(2)
  })
})

describe('taking a sandbox away on v2', () => {
  const populated = (origin: string | undefined) =>
    observed(
      [
        {
          ...madeUnified({ sandbox: { pids: [VMM, 200], tids: [VMM, 101, 200] }, vcpu: { tids: VCPUS } }),
          cgroups: {
            ...madeUnified({ sandbox: { pids: [VMM, 200], tids: [VMM, 101, 200] }, vcpu: { tids: VCPUS } })
              .cgroups,
            ...(origin !== undefined && unified({ [origin]: {} }).cgroups),
          },
        },
      ],
      [vmm, processOf(200)],
    )
  const teardown = (
    state: Observed,
    origins: ReadonlyMap<number, Record<string, string>>,
    stranded?: 'leave',
  ) =>
    operationsOf(
      planTeardown(desired(), state, origins, { stranded, everyOrigin: [...origins.values()] }),
    ).map((operation) => `${operation.kind} ${operation.path}`)

  test('gives processes back as a whole; those born inside go where the others came from', () => {
    expect(teardown(populated('/session'), new Map([[VMM, { unified: '/session' }]]))).toEqual([
      'move-process /session',
      'move-process /session',
      `remove-directory ${LEAF}`,
      `remove-directory ${SANDBOX}`,
    ])
  })

  test('is refused for who has nowhere to go, since the parent hands controllers down', () => {
    const gone = new Map([[VMM, { unified: '/gone' }]])
    expect(() => teardown(populated(undefined), gone)).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_BUSY', value: String(VMM) }),
    )
    expect(teardown(populated(undefined), gone, 'leave')).toEqual([
      `remove-directory ${LEAF}`,
      `remove-directory ${SANDBOX}`,
    ])
  })
})
