import { drain } from '../../src/engine/drain'
import { operationsOf } from '../../src/plan/operations'
import { limitedThreads, type Origins, planTeardown } from '../../src/plan/teardown'
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
} from '../support/sandbox-states'
import { madeUnified, unified } from '../support/sandbox-states-v2'
import { type Mischief, refused, SimulatedHost } from '../support/simulated-host'

const ENOENT = 2
const EBUSY = 16
const EINVAL = 22

const made = madeHierarchy('cpu', {
  sandbox: { tids: [VMM, IOTHREAD] },
  vcpu: { tids: VCPUS, knobs: { 'cpu.cfs_quota_us': '50000' } },
})
const cpu = { ...made, cgroups: { ...made.cgroups, ...hierarchy('cpu', { '/session': {} }).cgroups } }
const full = observed([cpu], [vmm])
const origins: Origins = new Map([[VMM, { cpu: '/session' }]])

function hostWith(mischief: Mischief = {}, state = full): SimulatedHost {
  return new SimulatedHost(desired(), state, mischief)
}

function drained(host: SimulatedHost, options: Parameters<typeof drain>[2] = {}) {
  const look = async () => {
    const { observed: state } = await host.look()
    return {
      observed: state,
      plan: planTeardown(host.desired, state, origins),
      limited: limitedThreads(host.desired, state),
    }
  }
  return drain(look, host.execute, options)
}

const removed = [`cpu:${LEAF}`, `cpu:${SANDBOX}`]

afterEach(() => {
  jest.restoreAllMocks()
})

it('gives the living back, removes the directories and tells who runs without a limit now', async () => {
  const host = hostWith()
  expect(await drained(host)).toEqual({
    sandbox: 'vm1',
    moved: [...VCPUS, VMM, IOTHREAD].map((tid) => ({ tid, to: ['cpu:/session'] })),
    removed,
    unlimited: VCPUS,
  })
  expect(Object.keys(host.state.hierarchies[0]?.cgroups ?? {}).sort()).toEqual(['/', '/kata', '/session'])
})

it('does nothing where nothing is', async () => {
  const host = hostWith({}, observed([hierarchy('cpu')]))
  expect(await drained(host)).toEqual({ sandbox: 'vm1', moved: [], removed: [], unlimited: [] })
  expect(host.written).toEqual([])
})

it('skips threads that have ended', async () => {
  const host = hostWith({
    onOperation: ({ kind }) => {
      if (kind === 'move-threads') host.change((state) => withoutThread(state, 103))
      return undefined
    },
  })
  const report = await drained(host)
  expect(report.moved.map(({ tid }) => tid)).toEqual([102, VMM, IOTHREAD])
  expect(report.removed).toEqual(removed)
})

it('finds threads that are born meanwhile', async () => {
  const BORN = 104
  const host = hostWith({
    onOperation: ({ kind, path }) => {
      if (kind === 'remove-directory' && path === LEAF && host.looks === 1) {
        host.change((state) => ({ ...state, processes: [processOf(VMM, [...VMM_THREADS, BORN])] }))
        host.doElsewhere({ kind: 'move-threads', hierarchy: 'cpu', path: LEAF, tids: [BORN] })
      }
      return undefined
    },
  })
  const report = await drained(host)
  expect(report.moved).toContainEqual({ tid: BORN, to: ['cpu:/session'] })
  expect(report.removed).toEqual(removed)
})

it('tries again while the kernel still keeps a directory busy', async () => {
  let refusals = 3
  const host = hostWith({
    onOperation: ({ kind }) => {
      if (kind !== 'remove-directory' || refusals === 0) return undefined
      refusals -= 1
      return refused(EBUSY)
    },
  })
  expect((await drained(host)).removed).toEqual(removed)
  expect(host.looks).toBe(5)
})

it('takes a directory that somebody else has removed for removed', async () => {
  const host = hostWith({
    onOperation: (operation) => {
      if (operation.kind !== 'remove-directory' || operation.path !== LEAF) return undefined
      host.doElsewhere(operation)
      return refused(ENOENT)
    },
  })
  expect((await drained(host)).removed).toEqual([`cpu:${SANDBOX}`])
})

it('finds another place when the origin goes between the look and the write', async () => {
  const host = hostWith({
    onOperation: (operation) => {
      if (operation.path === '/session') {
        host.doElsewhere({ kind: 'remove-directory', hierarchy: 'cpu', path: '/session' })
      }
      return undefined
    },
  })
  const report = await drained(host)
  expect(report.moved[0]).toEqual({ tid: 102, to: ['cpu:/kata'] })
  expect(tidsIn(host.state, 'cpu', '/kata')).toEqual(VMM_THREADS)
})

it('is an error when the kernel will not move a thread, naming it', async () => {
  const host = hostWith({
    onOperation: (operation) =>
      operation.kind === 'move-threads'
        ? { errno: 0, ids: operation.tids.map((id) => ({ id, errno: id === 103 ? EINVAL : 0 })) }
        : undefined,
  })
  await expect(drained(host)).rejects.toMatchObject({ code: 'EINVAL', value: '103' })
  expect(tidsIn(host.state, 'cpu', LEAF)).toEqual(VCPUS)
})

it('is an error when a directory cannot be removed', async () => {
  const host = hostWith({ onOperation: ({ kind }) => (kind === 'remove-directory' ? refused(1) : undefined) })
  await expect(drained(host)).rejects.toMatchObject({ code: 'EPERM', path: `/sys/fs/cgroup/cpu${LEAF}` })
})

it('gives up after five seconds and names the lowest directory that is in the way', async () => {
  let now = 0
  jest.spyOn(performance, 'now').mockImplementation(() => now)
  const host = hostWith({
    onLook: () => {
      now += 2000
    },
    onOperation: ({ kind }) => (kind === 'remove-directory' ? refused(EBUSY) : undefined),
  })
  await expect(drained(host)).rejects.toMatchObject({
    code: 'ERR_VMCG_BUSY',
    path: `/sys/fs/cgroup/cpu${LEAF}`,
    hint: expect.stringContaining(`ls -d /sys/fs/cgroup/cpu${LEAF}/*/`),
  })
})

it('rejects with the reason of an abort while it waits', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const host = hostWith({
    onOperation: ({ kind }) => {
      if (kind !== 'remove-directory') return undefined
      controller.abort(reason)
      return refused(EBUSY)
    },
  })
  await expect(drained(host, { signal: controller.signal })).rejects.toBe(reason)
})

it('puts strangers back and does not call them moved', async () => {
  const host = hostWith({
    onLook: (look) => {
      if (look === 2) host.change((state) => startedAt(state, 103, 1))
    },
  })
  const report = await drained(host, {
    identify: (tid) =>
      tid === 103 ? { startTime: 1, place: { cpu: '/session' }, home: { cpu: '/' } } : undefined,
  })
  expect(report.moved.map(({ tid }) => tid)).toEqual([102, VMM, IOTHREAD])
  expect(tidsIn(host.state, 'cpu', '/')).toEqual([103])
})

it('asks one by one only for the threads that the next look does not show to be the same', async () => {
  const asked: number[] = []
  const host = hostWith({
    onLook: (look) => {
      if (look === 2) host.change((state) => withoutThread(state, 102))
    },
  })
  await drained(host, {
    identify: (tid) => {
      asked.push(tid)
      return undefined
    },
  })
  expect(asked).toEqual([102])
})

it('never touches what is not in the sandbox', async () => {
  const other = {
    '/kata/vm2': { owner: 'other', tids: [500] },
    '/kata/vm2/vcpu': { owner: 'other', tids: [501] },
  }
  const cgroups = { ...cpu.cgroups, ...hierarchy('cpu', other).cgroups }
  const host = hostWith({}, observed([{ ...cpu, cgroups }], [vmm, processOf(500, [500, 501])]))
  await drained(host)
  expect(tidsIn(host.state, 'cpu', '/kata/vm2')).toEqual([500])
  expect(tidsIn(host.state, 'cpu', '/kata/vm2/vcpu')).toEqual([501])
  expect(operationsOf(planTeardown(desired(), host.state, origins))).toEqual([])
})

/** As if the thread's id had been given to another. */
function startedAt(state: typeof full, tid: number, startTime: number): typeof full {
  const processes = state.processes.map((process) => ({
    ...process,
    threads: process.threads.map((thread) => (thread.tid === tid ? { ...thread, startTime } : thread)),
  }))
  return { ...state, processes }
}

function withoutThread(state: typeof full, tid: number): typeof full {
  const without = (tids: readonly number[]) => tids.filter((other) => other !== tid)
  return {
    processes: state.processes.map(({ pid, threads }) =>
      processOf(pid, without(threads.map((one) => one.tid))),
    ),
    hierarchies: state.hierarchies.map((one) => ({
      ...one,
      cgroups: Object.fromEntries(
        Object.entries(one.cgroups).map(([path, cgroup]) => [
          path,
          { ...cgroup, tids: without(cgroup.tids) },
        ]),
      ),
    })),
  }
}

it('names every thread of a process that v2 gives back as a whole', async () => {
  const unifiedMade = madeUnified({
    sandbox: { pids: [VMM], tids: [VMM, IOTHREAD] },
    vcpu: { tids: VCPUS, knobs: { 'cpu.max': '50000 100000' } },
  })
  const cgroups = { ...unifiedMade.cgroups, ...unified({ '/session': {} }, 'cpu').cgroups }
  const host = hostWith({}, observed([{ ...unifiedMade, cgroups }], [vmm]))
  const look = async () => {
    const { observed: state } = await host.look()
    const plan = planTeardown(host.desired, state, new Map([[VMM, { unified: '/session' }]]))
    return { observed: state, plan, limited: limitedThreads(host.desired, state) }
  }
  expect(await drain(look, host.execute, {})).toEqual({
    sandbox: 'vm1',
    moved: VMM_THREADS.map((tid) => ({ tid, to: ['unified:/session'] })),
    removed: [`unified:${LEAF}`, `unified:${SANDBOX}`],
    unlimited: VCPUS,
  })
})
