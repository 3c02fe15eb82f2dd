import { type Desired, sandboxPaths } from '../../src/plan/desired'
import { planScopeEntry } from '../../src/plan/enter-scope'
import type { Observed } from '../../src/plan/observed'
import { operationsOf, type Plan } from '../../src/plan/operations'
import { planSandbox } from '../../src/plan/plan-sandbox'
import { SimulatedKernel } from '../../src/plan/simulated-kernel'
import { planTeardown } from '../../src/plan/teardown'
import {
  desired,
  hierarchy,
  OWNER,
  observed,
  VCPUS,
  VMM,
  VMM_THREADS,
  vmm,
  withVm,
} from '../support/sandbox-states'
import { unified } from '../support/sandbox-states-v2'

const SCOPE = '/system.slice/vmcg-vm1.scope'
const VM = `${SCOPE}/vm`
const LEAF = `${VM}/vcpu`
const SLICE = { enabled: 'cpu memory pids', knobs: { 'cgroup.controllers': 'cpu memory pids' } }
const DELEGATED = { 'cgroup.controllers': 'cpu memory pids' }
const QUOTA = { resources: { cpu: { quota: 50_000, period: 100_000 } } }

function inScope(fields: Partial<Desired>, hierarchies: readonly string[]): Desired {
  return desired({ ...fields, scope: { path: SCOPE, hierarchies } })
}

function steps(plan: Plan): readonly string[] {
  return operationsOf(plan).map((operation) => {
    const { kind, hierarchy: id, path } = operation
    const where = id === 'unified' ? path : `${id}:${path}`
    if (kind === 'write-knob') return `${where} ${operation.knob} ${operation.value}`
    if (kind === 'move-process') return `process ${operation.pid} > ${where}`
    if (kind === 'move-threads') return `threads ${operation.tids.join(' ')} > ${where}`
    return `${kind} ${where}`
  })
}

function carriedOut(plan: Plan, state: Observed): Observed {
  const kernel = new SimulatedKernel(state)
  for (const operation of operationsOf(plan)) {
    const { errno, ids } = kernel.execute(operation)
    expect({ operation, errno, refused: ids.filter((id) => id.errno !== 0) }).toMatchObject({
      errno: 0,
      refused: [],
    })
  }
  return kernel.observe()
}

test('with systemd a sandbox is below its unit', () => {
  expect(sandboxPaths(inScope({}, []))).toEqual({ parent: SCOPE, sandbox: VM, vcpu: LEAF })
})

describe('a unit of v2 that systemd has just started', () => {
  const started = observed(
    [
      unified(
        { '/system.slice': SLICE, [SCOPE]: { tids: VMM_THREADS, pids: [VMM], knobs: DELEGATED } },
        'cpu',
      ),
    ],
    [vmm],
  )
  const wanted = inScope({ ...withVm, ...QUOTA }, ['unified'])
  const entry = planScopeEntry(wanted, started)

  test('is entered: whoever is in it goes into a cgroup of ours', () => {
    expect(steps(entry)).toEqual([`make-directory ${VM}`, `tag ${VM}`, `process ${VMM} > ${VM}`])
  })

  test('hands controllers down only then, and nothing above it is written', () => {
    const plan = planSandbox(wanted, carriedOut(entry, started))
    expect(steps(plan)).toEqual([
      `${SCOPE} cgroup.subtree_control +cpu`,
      `make-directory ${LEAF}`,
      `tag ${LEAF}`,
      `${LEAF} cgroup.type threaded`,
      `${VM} cgroup.subtree_control +cpu`,
      `${LEAF} cpu.max 50000 100000`,
      expect.stringMatching(`^${LEAF} cpu.weight`),
      `threads ${VCPUS.join(' ')} > ${LEAF}`,
    ])
    expect(operationsOf(plan).every(({ path }) => path.startsWith(SCOPE))).toBe(true)
  })

  test('is as it should be once that was done', () => {
    const entered = carriedOut(entry, started)
    const made = carriedOut(planSandbox(wanted, entered), entered)
    expect(steps(planSandbox(wanted, made))).toEqual([])
    expect(steps(planScopeEntry(wanted, made))).toEqual([])
  })

  test('is refused as long as somebody is in it itself', () => {
    expect(() => planSandbox(wanted, started)).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_INTERNAL_PROCESSES' }),
    )
  })

  test('has no other controllers than systemd has handed down', () => {
    const memory = { ...QUOTA.resources, cpu: { ...QUOTA.resources.cpu, cpus: '0' } }
    expect(() => planSandbox({ ...wanted, resources: memory }, carriedOut(entry, started))).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_NO_CONTROLLER', value: 'cpuset' }),
    )
  })

  test('is not entered where somebody else has made a cgroup of that name', () => {
    const foreign = unified({
      [SCOPE]: { knobs: DELEGATED },
      [VM]: { owner: 'somebody', tids: [9], pids: [9] },
    })
    expect(() => planScopeEntry(wanted, observed([foreign]))).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_FOREIGN_CGROUP' }),
    )
  })
})

describe('a unit of v1', () => {
  const wanted = inScope(QUOTA, ['cpu'])

  test('is made by ourselves, with all above it, in the hierarchies where systemd has not', () => {
    const cpu = hierarchy('cpu', { '/system.slice': {}, [SCOPE]: {} })
    const cpuset = hierarchy('cpuset')
    const paths = (id: string) =>
      operationsOf(planSandbox(wanted, observed([cpu, cpuset]))).flatMap((operation) =>
        operation.kind === 'make-directory' && operation.hierarchy === id ? [operation.path] : [],
      )
    expect(paths('cpu')).toEqual([VM, LEAF])
    expect(paths('cpuset')).toEqual(['/system.slice', SCOPE, VM, LEAF])
  })
})

describe('taking a sandbox away that is in a unit', () => {
  const where = { ...inScope({}, ['unified']), claimed: ['unified'] }

  test('gives back who is in it, and in the unit itself; the unit stays for systemd', () => {
    const state = observed(
      [
        unified({
          '/home': {},
          '/system.slice': SLICE,
          [SCOPE]: { pids: [VMM], tids: [VMM], enabled: 'cpu', knobs: DELEGATED },
          [VM]: { owner: OWNER },
        }),
      ],
      [vmm],
    )
    const plan = planTeardown(where, state, new Map([[VMM, { unified: '/home' }]]))
    expect(steps(plan)).toEqual([`process ${VMM} > /home`, `remove-directory ${VM}`])
  })

  test('never gives anybody back to the unit, from which systemd would end it', () => {
    const state = observed([
      unified({ '/system.slice': SLICE, [SCOPE]: { knobs: DELEGATED }, [VM]: { owner: OWNER, pids: [7] } }),
    ])
    expect(() => planTeardown(where, state, new Map())).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_BUSY', value: '7' }),
    )
  })

  test('takes the cgroups of the unit away where systemd has made none', () => {
    const cpuset = hierarchy('cpuset', {
      '/system.slice': {},
      [SCOPE]: { owner: OWNER },
      [VM]: { owner: OWNER },
      [LEAF]: { owner: OWNER },
    })
    expect(steps(planTeardown({ ...where, claimed: ['cpuset'] }, observed([cpuset]), new Map()))).toEqual([
      `remove-directory cpuset:${LEAF}`,
      `remove-directory cpuset:${VM}`,
      `remove-directory cpuset:${SCOPE}`,
    ])
  })
})
