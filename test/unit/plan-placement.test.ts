import type { Desired } from '../../src/plan/desired'
import type { ObservedHierarchy } from '../../src/plan/observed'
import { operationsOf } from '../../src/plan/operations'
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
  VCPUS,
  VMM,
  vmm,
  withVm,
} from '../support/sandbox-states'

const HELPER = 200
const helper = processOf(HELPER, [HELPER, 201])
const STRANGER = 999

/** The moves of a plan as short lines: `cpu sandbox process 100`, `cpu leaf 102 103`. */
function moves(changes: Partial<Desired>, ...hierarchies: readonly ObservedHierarchy[]): string[] {
  const plan = planSandbox(desired(changes), observed(hierarchies, [vmm, helper]))
  return operationsOf(plan).flatMap((operation) => {
    const where = `${operation.hierarchy} ${operation.path === LEAF ? 'leaf' : 'sandbox'}`
    if (operation.kind === 'move-process') return [`${where} process ${operation.pid}`]
    return operation.kind === 'move-threads' ? [`${where} ${operation.tids.join(' ')}`] : []
  })
}

const holding = (id: string, sandbox: readonly number[], vcpu: readonly number[]) =>
  madeHierarchy(id, { sandbox: { tids: sandbox }, vcpu: { tids: vcpu } })

describe('a VMM that is outside', () => {
  it('comes in whole by one write, and then its vCPUs go to the leaf', () => {
    expect(moves(withVm, hierarchy('cpu'))).toEqual(['cpu sandbox process 100', 'cpu leaf 102 103'])
  })

  it('is placed in step in all hierarchies, so that they share a grace period', () => {
    expect(moves(withVm, hierarchy('cpu'), hierarchy('cpuset'))).toEqual([
      'cpu sandbox process 100',
      'cpuset sandbox process 100',
      'cpu leaf 102 103',
      'cpuset leaf 102 103',
    ])
  })

  it('comes in by one write while some of its threads are outside and no vCPU is in the leaf', () => {
    expect(moves(withVm, holding('cpu', [VMM], []))).toEqual(['cpu sandbox process 100', 'cpu leaf 102 103'])
  })
})

describe('a VMM that is inside', () => {
  it('is left alone', () => {
    expect(moves(withVm, holding('cpu', [VMM, IOTHREAD], VCPUS))).toEqual([])
  })

  it('has strays fetched one by one, once a vCPU is in its leaf', () => {
    expect(moves(withVm, holding('cpu', [VMM], VCPUS))).toEqual(['cpu sandbox 101'])
    expect(moves(withVm, holding('cpu', [VMM], [102]))).toEqual(['cpu sandbox 101', 'cpu leaf 103'])
  })

  it('has a hot-plugged vCPU moved to the leaf, wherever it was born', () => {
    expect(moves(withVm, holding('cpu', [VMM, IOTHREAD, 103], [102]))).toEqual(['cpu leaf 103'])
    expect(moves(withVm, holding('cpu', [VMM, IOTHREAD], [102]))).toEqual(['cpu leaf 103'])
  })

  it('has no process write for vCPUs alone, even when none is in the leaf', () => {
    expect(moves(withVm, holding('cpu', [VMM, IOTHREAD], []))).toEqual(['cpu leaf 102 103'])
  })

  it('has what is in the leaf and is no vCPU sent back', () => {
    expect(moves(withVm, holding('cpu', [VMM], [...VCPUS, IOTHREAD]))).toEqual(['cpu sandbox 101'])
    expect(moves(withVm, holding('cpu', [VMM, IOTHREAD], [...VCPUS, STRANGER]))).toEqual(['cpu sandbox 999'])
  })

  it('is judged in each hierarchy for itself', () => {
    expect(moves(withVm, holding('cpu', [VMM], VCPUS), holding('cpuset', [], []))).toEqual([
      'cpu sandbox 101',
      'cpuset sandbox process 100',
      'cpuset leaf 102 103',
    ])
  })
})

describe('a helper', () => {
  it('comes in whole', () => {
    expect(moves({ helpers: [HELPER] }, hierarchy('cpu'))).toEqual(['cpu sandbox process 200'])
  })

  it('comes in whole again when one of its threads is elsewhere, also in the leaf', () => {
    expect(moves({ helpers: [HELPER] }, holding('cpu', [HELPER], []))).toEqual(['cpu sandbox process 200'])
    expect(moves({ helpers: [HELPER] }, holding('cpu', [HELPER], [201]))).toEqual(['cpu sandbox process 200'])
  })

  it('is left alone when all of it is inside', () => {
    expect(moves({ helpers: [HELPER] }, holding('cpu', [HELPER, 201], []))).toEqual([])
  })

  it('that is the VMM as well counts as the VMM', () => {
    expect(moves({ ...withVm, helpers: [VMM] }, holding('cpu', [VMM, IOTHREAD], VCPUS))).toEqual([])
  })

  it('that has ended is not looked for', () => {
    expect(moves({ helpers: [404] }, hierarchy('cpu'))).toEqual([])
  })
})

it('places nothing without a VMM, and leaves what is in the leaf', () => {
  expect(moves({}, holding('cpu', [], VCPUS))).toEqual([])
})

it('writes no vCPU that the process does not have', () => {
  expect(moves({ vmm: VMM, vcpus: [102, 404] }, holding('cpu', [VMM, IOTHREAD, 103], []))).toEqual([
    'cpu leaf 102',
  ])
})

it('warns of a VMM without vCPUs, and places what there is', () => {
  const plan = planSandbox(desired({ vmm: VMM }), observed([madeHierarchy('cpu')], [vmm]))
  expect(plan.warnings).toEqual([expect.stringMatching(/vm1.*no vCPU threads/)])
  expect(operationsOf(plan)).toEqual([{ kind: 'move-process', hierarchy: 'cpu', path: SANDBOX, pid: VMM }])
})

it('does not warn while no VMM is attached', () => {
  expect(planSandbox(desired(), observed([madeHierarchy('cpu')])).warnings).toEqual([])
})
