import { settle } from '../../src/engine/settle'
import { CgroupError, type VmcgError } from '../../src/errors'
import type { Desired } from '../../src/plan/desired'
import type { Observed } from '../../src/plan/observed'
import { planSandbox } from '../../src/plan/plan-sandbox'
import {
  desired,
  hierarchy,
  IOTHREAD,
  LEAF,
  madeHierarchy,
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
import { ACCEPTED, type Mischief, refused, SimulatedHost } from '../support/simulated-host'

const EINVAL = 22
const ESRCH = 3
const SHARES = 'cpu.shares'
const QUOTA = 'cpu.cfs_quota_us'

const limited = { cpu: { shares: 512, quota: 50000, period: 100000 } }
const outside = observed([hierarchy('cpu'), hierarchy('cpuacct')], [vmm])
const inside = observed(
  [
    madeHierarchy('cpu', {
      sandbox: { tids: [VMM, IOTHREAD] },
      vcpu: { tids: VCPUS, knobs: { [SHARES]: '2048' } },
    }),
  ],
  [vmm],
)

function hostWith(state: Observed, changes: Partial<Desired> = {}, mischief: Mischief = {}): SimulatedHost {
  return new SimulatedHost(desired({ ...withVm, ...changes }), state, mischief)
}

function settled(host: SimulatedHost, options: Parameters<typeof settle>[2] = {}) {
  return settle(host.look, host.execute, options)
}

async function failure(host: SimulatedHost): Promise<VmcgError> {
  return settled(host).then(
    () => Promise.reject(new Error('settled')),
    (error: VmcgError) => error,
  )
}

function knob(host: SimulatedHost, path: string, name: string): unknown {
  return host.state.hierarchies[0]?.cgroups[path]?.knobs[name]
}

const writeShares = (path: string, value: string) =>
  ({ kind: 'write-knob', hierarchy: 'cpu', path, knob: SHARES, value, previous: null }) as const

describe('a host that nobody else touches', () => {
  it('is settled in one round, and a second look verifies it', async () => {
    const host = hostWith(outside, { resources: limited })
    const report = await settled(host)
    expect(report).toMatchObject({ sandbox: 'vm1', isChanged: true, looks: 2, placed: VCPUS, left: [] })
    expect(planSandbox(host.desired, host.state).stages).toEqual([])
    expect(tidsIn(host.state, 'cpuacct', LEAF)).toEqual(VCPUS)
  })

  it('is left alone, after one look, when it is as it should be', async () => {
    const host = hostWith(inside)
    expect(await settled(host)).toMatchObject({ isChanged: false, looks: 1, operations: [], placed: [] })
    expect(host.written).toEqual([])
  })
})

describe('threads that come and go', () => {
  it('finds one that was born between the look and the write', async () => {
    const BORN = 104
    const host = hostWith(
      inside,
      {},
      {
        onLook: (look) => {
          if (look === 1) host.doElsewhere({ kind: 'move-threads', hierarchy: 'cpu', path: '/', tids: [102] })
          if (look === 2) host.change(withThread(BORN))
        },
      },
    )
    await settled(host)
    expect(host.looks).toBe(3)
    expect(tidsIn(host.state, 'cpu', SANDBOX)).toEqual([VMM, IOTHREAD, BORN])
    expect(tidsIn(host.state, 'cpu', LEAF)).toEqual(VCPUS)
  })

  it('takes a thread that has ended for data, and places the others', async () => {
    const host = hostWith(
      outside,
      {},
      {
        onOperation: ({ kind }) => {
          if (kind === 'move-threads') host.change(withoutThread(103))
          host.desired = { ...host.desired, vcpus: [102] }
          return undefined
        },
      },
    )
    const report = await settled(host)
    expect(report).toMatchObject({ placed: [102], vanished: [103], left: [] })
  })

  it('reports vCPUs that the hypervisor names and the kernel does not have', async () => {
    const host = hostWith(inside)
    host.missing = [404]
    expect(await settled(host)).toMatchObject({ vanished: [404], isChanged: false })
  })

  it('gives up after five rounds when somebody keeps moving a thread out, and says which', async () => {
    const host = hostWith(
      inside,
      {},
      {
        onLook: () => host.doElsewhere({ kind: 'move-threads', hierarchy: 'cpu', path: '/', tids: [103] }),
      },
    )
    const report = await settled(host)
    expect(report).toMatchObject({
      looks: 6,
      left: [{ tid: 103, where: `cpu:${LEAF}`, code: 'EAGAIN' }],
    })
    expect(host.written).toHaveLength(5)
  })
})

describe('a thread that the kernel will not move', () => {
  const refusing = (tid: number): Mischief => ({
    onOperation: (operation) =>
      operation.kind === 'move-threads' && operation.tids.includes(tid)
        ? { errno: 0, ids: operation.tids.map((id) => ({ id, errno: id === tid ? EINVAL : 0 })) }
        : undefined,
  })

  it('is left where it is and reported, when it is no vCPU', async () => {
    const state = observed([madeHierarchy('cpu', { sandbox: { tids: [VMM] }, vcpu: { tids: VCPUS } })], [vmm])
    const report = await settled(hostWith(state, {}, refusing(IOTHREAD)))
    expect(report.left).toEqual([{ tid: IOTHREAD, where: `cpu:${SANDBOX}`, code: 'EINVAL' }])
    expect(report.looks).toBe(2)
  })

  it('is an error when it is a vCPU, and the error has the report', async () => {
    const state = observed([madeHierarchy('cpu', { sandbox: { tids: VMM_THREADS } })], [vmm])
    const error = await failure(hostWith(state, {}, refusing(103)))
    expect(error).toMatchObject({ code: 'EINVAL', errno: -EINVAL, value: '103' })
    expect(error.report?.left).toContainEqual({ tid: 103, where: `cpu:${LEAF}`, code: 'EINVAL' })
  })

  it('is no vCPU in a sandbox whose own id is "vcpu"', async () => {
    const here = { '/kata/vcpu': { owner: desired().owner, tids: [VMM] } }
    const leaf = { '/kata/vcpu/vcpu': { owner: desired().owner, tids: VCPUS, knobs: { [SHARES]: '2048' } } }
    const state = observed([hierarchy('cpu', { '/kata': {}, ...here, ...leaf })], [vmm])
    const report = await settled(hostWith(state, { id: 'vcpu' }, refusing(IOTHREAD)))
    expect(report).toMatchObject({ placed: [], left: [{ tid: IOTHREAD, where: 'cpu:/kata/vcpu' }] })
  })

  it('does not keep a limit that somebody else has changed from being written once more', async () => {
    const state = observed([madeHierarchy('cpu', { sandbox: { tids: [VMM] }, vcpu: { tids: VCPUS } })], [vmm])
    const host = hostWith(
      state,
      { resources: limited },
      {
        ...refusing(IOTHREAD),
        onLook: (look) => {
          if (look === 2) host.doElsewhere(writeShares(SANDBOX, '700'))
        },
      },
    )
    expect(await settled(host)).toMatchObject({ looks: 3, left: [{ tid: IOTHREAD, code: 'EINVAL' }] })
    expect(knob(host, SANDBOX, SHARES)).toEqual({ kind: 'value', value: '512' })
  })

  it('does not keep a limit that the kernel ignores from being an error', async () => {
    const state = observed([madeHierarchy('cpu', { sandbox: { tids: [VMM] }, vcpu: { tids: VCPUS } })], [vmm])
    const host = hostWith(
      state,
      { resources: limited },
      {
        onOperation: (operation, here) =>
          operation.kind === 'write-knob' && operation.knob === QUOTA
            ? ACCEPTED
            : refusing(IOTHREAD).onOperation?.(operation, here),
      },
    )
    expect(await failure(host)).toMatchObject({ code: 'ERR_VMCG_VERIFY', value: '50000' })
  })
})

describe('a knob', () => {
  it('that somebody else changes in between is written once more', async () => {
    const host = hostWith(
      inside,
      { resources: limited },
      {
        onLook: (look) => {
          if (look === 2) host.doElsewhere(writeShares(SANDBOX, '700'))
        },
      },
    )
    expect(await settled(host)).toMatchObject({ looks: 3, isChanged: true })
    expect(knob(host, SANDBOX, SHARES)).toEqual({ kind: 'value', value: '512' })
  })

  it('that keeps another value whatever is written fails the verification, with both values', async () => {
    const host = hostWith(
      inside,
      { resources: limited },
      {
        onOperation: (operation) =>
          operation.kind === 'write-knob' && operation.knob === SHARES ? ACCEPTED : undefined,
      },
    )
    const error = await failure(host)
    expect(error).toMatchObject({
      code: 'ERR_VMCG_VERIFY',
      path: `/sys/fs/cgroup/cpu${SANDBOX}/cpu.shares`,
      value: '512',
      message: expect.stringContaining('should read 512 and reads 1024'),
    })
    expect(error.report).toMatchObject({ looks: 3, isChanged: true })
  })

  it('that is wrong at the last look is an error too, never a silent success', async () => {
    const host = hostWith(
      inside,
      {},
      {
        onLook: (look) => {
          host.doElsewhere({ kind: 'move-threads', hierarchy: 'cpu', path: '/', tids: [103] })
          if (look === 6) host.doElsewhere(writeShares(LEAF, '2'))
        },
      },
    )
    expect(await failure(host)).toMatchObject({ code: 'ERR_VMCG_VERIFY', value: '2048' })
  })
})

describe('a directory', () => {
  it('that somebody else keeps removing is an error', async () => {
    const host = hostWith(
      observed([hierarchy('cpu')]),
      { vmm: null, vcpus: [] },
      {
        onLook: () => {
          for (const path of [LEAF, SANDBOX])
            host.doElsewhere({ kind: 'remove-directory', hierarchy: 'cpu', path })
        },
      },
    )
    expect(await failure(host)).toMatchObject({
      code: 'ERR_VMCG_VERIFY',
      path: `/sys/fs/cgroup/cpu${SANDBOX}`,
    })
  })
})

describe('a refusal in the middle of the limits', () => {
  const resources = { cpu: { shares: 512, quota: 50000, period: 50000 } }
  const refusingQuota: Mischief = {
    onOperation: (operation) =>
      operation.kind === 'write-knob' && operation.knob === QUOTA && operation.value !== '-1'
        ? refused(EINVAL)
        : undefined,
  }

  it('takes back what was written before it, last first', async () => {
    const host = hostWith(inside, { resources }, refusingQuota)
    const error = await failure(host)
    expect(
      host.written.map((operation) =>
        operation.kind === 'write-knob' ? `${operation.knob} ${operation.value}` : '',
      ),
    ).toEqual(['cpu.shares 512', 'cpu.cfs_quota_us 50000', 'cpu.shares 1024'])
    expect(host.state).toEqual(inside)
    expect(error).toMatchObject({ code: 'EINVAL', path: `/sys/fs/cgroup/cpu${LEAF}/cpu.cfs_quota_us` })
    expect(error.report?.operations).toHaveLength(4)
    expect(error.report?.unlimited).toEqual([])
  })

  it('does not begin the placement', async () => {
    const host = hostWith(outside, { resources }, refusingQuota)
    await failure(host)
    expect(tidsIn(host.state, 'cpu', SANDBOX)).toEqual([])
  })

  it('is tried once more when the state has changed meanwhile', async () => {
    let refusals = 0
    const host = hostWith(
      inside,
      { resources },
      {
        onOperation: (operation) => {
          if (operation.kind !== 'write-knob' || operation.knob !== QUOTA || refusals > 0) return undefined
          refusals += 1
          host.doElsewhere(writeShares(LEAF, '100'))
          return refused(EINVAL)
        },
      },
    )
    expect(await settled(host)).toMatchObject({ left: [] })
    expect(knob(host, LEAF, QUOTA)).toEqual({ kind: 'value', value: '50000' })
  })

  it('is tried no third time, whatever changes', async () => {
    let shares = 100
    const host = hostWith(
      inside,
      { resources },
      {
        ...refusingQuota,
        onLook: () => {
          shares += 1
          host.doElsewhere(writeShares(LEAF, String(shares)))
        },
      },
    )
    expect(await failure(host)).toMatchObject({ code: 'EINVAL' })
    expect(host.looks).toBe(3)
  })

  it('is an error also in the last round', async () => {
    const host = hostWith(
      inside,
      {},
      {
        onLook: (look) => {
          host.doElsewhere({ kind: 'move-threads', hierarchy: 'cpu', path: '/', tids: [103] })
          if (look === 5) host.desired = { ...host.desired, resources }
          if (look === 6) host.desired = { ...host.desired, resources: {} }
        },
        ...refusingQuota,
      },
    )
    expect(await failure(host)).toMatchObject({ code: 'EINVAL' })
  })

  it('leaves an empty cpuset filled, since the kernel takes no empty one back', async () => {
    const host = hostWith(
      observed([hierarchy('cpuset')]),
      { vmm: null, vcpus: [], resources: { cpu: { cpus: '1' } } },
      {
        onOperation: (operation) =>
          operation.kind === 'write-knob' && operation.knob === 'cpuset.mems' ? refused(EINVAL) : undefined,
      },
    )
    await failure(host)
    expect(knob(host, SANDBOX, 'cpuset.cpus')).toEqual({ kind: 'value', value: '0-3' })
  })
})

describe('a lifted quota', () => {
  const withQuota = observed([madeHierarchy('cpu', { vcpu: { knobs: { [QUOTA]: '50000' } } })])
  const managed = [{ hierarchy: 'cpu', path: LEAF, knob: QUOTA, value: '50000' }]

  it('is reported', async () => {
    const host = hostWith(withQuota, { vmm: null, vcpus: [], managed })
    expect((await settled(host)).unlimited).toEqual([`cpu:${LEAF} ${QUOTA}`])
  })
})

describe('a given plan', () => {
  it('is carried out when it still fits, also after a journey as JSON', async () => {
    const host = hostWith(outside, { resources: limited })
    const plan = JSON.parse(JSON.stringify(planSandbox(host.desired, host.state)))
    expect(await settled(host, { plan })).toMatchObject({ isChanged: true, left: [] })
  })

  it.each<[string, (host: SimulatedHost) => void]>([
    ['the containers have changed', (host) => Object.assign(host, { desired: desired(withVm) })],
    ['a thread was born', (host) => host.change(withThread(104))],
    ['somebody has written a knob', (host) => host.doElsewhere(writeShares(SANDBOX, '3'))],
  ])('is refused, and nothing is written, when %s', async (_, happen) => {
    const state = observed([madeHierarchy('cpu', { vcpu: { tids: VCPUS } })], [vmm])
    const host = hostWith(state, { resources: limited })
    const plan = planSandbox(host.desired, host.state)
    happen(host)
    await expect(settled(host, { plan })).rejects.toMatchObject({ code: 'ERR_VMCG_PLAN_STALE' })
    expect(host.written).toEqual([])
  })

  it('of another sandbox is refused', async () => {
    const host = hostWith(inside)
    const plan = planSandbox(desired({ id: 'vm2' }), observed([]))
    await expect(settled(host, { plan })).rejects.toMatchObject({ code: 'ERR_VMCG_PLAN_STALE' })
  })
})

it('passes the signal on to the executor, and what that rejects with', async () => {
  const controller = new AbortController()
  const host = hostWith(outside)
  const reason = new Error('enough')
  const run = settle(
    host.look,
    async (_plan, _stage, { signal }) => {
      controller.abort(reason)
      signal?.throwIfAborted()
      return []
    },
    { signal: controller.signal },
  )
  await expect(run).rejects.toBe(reason)
})

it('tells what was done before when the executor gives up half-way', async () => {
  const host = hostWith(outside, { resources: limited })
  const overdue = new CgroupError('ERR_VMCG_TIMEOUT', 'the kernel has not come back')
  const run = settle(
    host.look,
    (plan, stage, options) =>
      stage.name === 'placement' ? Promise.reject(overdue) : host.execute(plan, stage, options),
    {},
  )
  await expect(run).rejects.toBe(overdue)
  expect(overdue.report?.operations.map(({ operation }) => operation)).toEqual(host.written)
  expect(host.written.some(({ kind }) => kind.startsWith('move-'))).toBe(false)
  expect(overdue.report?.left.map(({ tid }) => tid)).toEqual(expect.arrayContaining(VCPUS))
})

it('puts a stranger back that had been given a thread’s id by the time of the write', async () => {
  const stranger = { pid: 900, startTime: 1, threads: [{ tid: 103, startTime: 1, name: 'other' }] }
  const host = hostWith(
    inside,
    {},
    {
      onOperation: (operation) => {
        if (operation.kind === 'move-threads' && operation.tids.includes(103)) {
          const vmm = processOf(
            VMM,
            VMM_THREADS.filter((tid) => tid !== 103),
          )
          host.change((state) => ({ ...state, processes: [vmm, stranger] }))
        }
        return undefined
      },
    },
  )
  host.doElsewhere({ kind: 'move-threads', hierarchy: 'cpu', path: '/', tids: [103] })
  let asked = 0
  const report = await settled(host, {
    identify: (tid) => {
      asked += 1
      host.desired = { ...host.desired, vcpus: [102] }
      return tid === 103 ? { startTime: 1, place: { cpu: LEAF }, home: { cpu: '/' } } : undefined
    },
  })
  expect(asked).toBeGreaterThan(0)
  expect(report).toMatchObject({ placed: [], vanished: [103] })
  expect(report.putBack).toContainEqual({ tid: 103, to: ['cpu:/'] })
})

it('asks nobody who has an id that the next look still shows to be the same thread', async () => {
  const asked: number[] = []
  await settled(hostWith(outside), { identify: (tid) => void asked.push(tid) })
  expect(asked).toEqual([])
})

it('does not count a write that moved nobody as a change', async () => {
  const gone = processOf(VMM, VMM_THREADS)
  const state = observed(
    [madeHierarchy('cpu', { sandbox: { tids: [VMM] }, vcpu: { tids: VCPUS, knobs: { [SHARES]: '2048' } } })],
    [gone],
  )
  const host = hostWith(
    state,
    {},
    {
      onOperation: (operation) => {
        if (operation.kind !== 'move-threads') return undefined
        host.change(withoutThread(IOTHREAD))
        return { errno: 0, ids: operation.tids.map((id) => ({ id, errno: ESRCH })) }
      },
    },
  )
  expect(await settled(host)).toMatchObject({ isChanged: false, vanished: [IOTHREAD] })
})

function withThread(tid: number): (state: Observed) => Observed {
  return (state) => ({ ...state, processes: [processOf(VMM, [...VMM_THREADS, tid])] })
}

function withoutThread(tid: number): (state: Observed) => Observed {
  return (state) => ({
    processes: state.processes.map(({ pid, threads }) =>
      processOf(
        pid,
        threads.map((thread) => thread.tid).filter((other) => other !== tid),
      ),
    ),
    hierarchies: state.hierarchies.map((one) => ({
      ...one,
      cgroups: Object.fromEntries(
        Object.entries(one.cgroups).map(([path, cgroup]) => [
          path,
          { ...cgroup, tids: cgroup.tids.filter((other) => other !== tid) },
        ]),
      ),
    })),
  })
}
