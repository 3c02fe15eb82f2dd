import * as fc from 'fast-check'
import { after as stateAfter } from '../../src/plan/after'
import { type Desired, sandboxPaths } from '../../src/plan/desired'
import { knobValue, type Observed, pathChain } from '../../src/plan/observed'
import { type Operation, operationsOf } from '../../src/plan/operations'
import { planSandbox } from '../../src/plan/plan-sandbox'
import { SimulatedKernel } from '../../src/plan/simulated-kernel'
import { planTeardown } from '../../src/plan/teardown'
import { drawUnified, type UnifiedSituation } from '../support/arbitrary-unified'
import { forAll } from '../support/for-all'

type Planner = (desired: Desired, observed: Observed) => readonly Operation[]

const planner: Planner = (desired, observed) => operationsOf(planSandbox(desired, observed))

function forAllSituations(claim: (situation: UnifiedSituation) => void): void {
  forAll(fc.gen(), (draw) => claim(drawUnified(draw)), { numRuns: 200, endOnFailure: true })
}

function isCaught(claim: () => void): boolean {
  try {
    claim()
    return false
  } catch {
    return true
  }
}

/** Runs operations on a simulated kernel; `check` is called with the state after each. */
function run(observed: Observed, operations: readonly Operation[], check?: (state: Observed) => void) {
  const kernel = new SimulatedKernel(observed)
  const refused = operations.flatMap((operation) => {
    const { errno, ids } = kernel.execute(operation)
    check?.(kernel.observe())
    const errnos = [errno, ...ids.map((id) => id.errno)].filter((each) => each !== 0)
    return errnos.length === 0 ? [] : [{ operation, errnos }]
  })
  return { state: kernel.observe(), refused }
}

function cgroupsIn(state: Observed) {
  return state.hierarchies[0]?.cgroups ?? {}
}

it('plans nothing for what its own plan leaves behind', () => {
  forAllSituations(({ desired, observed }) => {
    const settled = planner(desired, observed).reduce(stateAfter, observed)
    expect(planSandbox(desired, settled).stages).toEqual([])
  })
})

describe('the order of writes', () => {
  const neverRefused = (plan: Planner) =>
    forAllSituations(({ desired, observed }) => {
      expect(run(observed, plan(desired, observed)).refused).toEqual([])
    })

  it('is never refused by the kernel', () => neverRefused(planner))

  it.each<[string, (operations: readonly Operation[]) => readonly Operation[]]>([
    ['limits before the controllers', (operations) => lastFirst(operations, 'cgroup.subtree_control')],
    ['a leaf that is threaded last', (operations) => toTheEnd(operations, 'cgroup.type')],
  ])('would be refused with %s', (_, mistake) => {
    expect(isCaught(() => neverRefused((desired, observed) => mistake(planner(desired, observed))))).toBe(
      true,
    )
  })
})

it('never takes a controller away, and makes nothing threaded but the leaf', () => {
  forAllSituations(({ desired, observed }) => {
    const { vcpu } = sandboxPaths(desired)
    for (const operation of planner(desired, observed)) {
      if (operation.kind !== 'write-knob') continue
      if (operation.knob === 'cgroup.subtree_control') expect(operation.value).not.toContain('-')
      if (operation.knob === 'cgroup.type') expect(operation.path).toBe(vcpu)
    }
    const { state } = run(observed, planner(desired, observed))
    const types = pathChain(desired.parent).map((path) => knobValue(cgroupsIn(state)[path], 'cgroup.type'))
    expect(types.filter((type) => type !== undefined && type !== 'domain')).toEqual([])
  })
})

describe('a vCPU that is in its leaf', () => {
  const staysInLeaf = (plan: Planner) =>
    forAllSituations(({ desired, observed }) => {
      if (desired.vmm === null) return
      const { vcpu } = sandboxPaths(desired)
      const placed = (state: Observed) =>
        (cgroupsIn(state)[vcpu]?.tids ?? []).filter((tid) => desired.vcpus.includes(tid))
      const before = placed(observed)
      run(observed, plan(desired, observed), (state) => {
        expect(placed(state)).toEqual(expect.arrayContaining(before))
      })
    })

  it('is never outside of it at any step', () => staysInLeaf(planner))

  it('would be caught outside if the whole process were moved again', () => {
    const naive: Planner = (desired, observed) => {
      const { sandbox } = sandboxPaths(desired)
      return planner(desired, observed).map((operation) =>
        operation.kind === 'move-threads' && operation.path === sandbox && desired.vmm !== null
          ? { kind: 'move-process', hierarchy: 'unified', path: sandbox, pid: desired.vmm }
          : operation,
      )
    }
    expect(isCaught(() => staysInLeaf(naive))).toBe(true)
  })
})

it('places every thread of a VM and of its helpers', () => {
  forAllSituations(({ desired, observed }) => {
    const cgroups = cgroupsIn(run(observed, planner(desired, observed)).state)
    const { sandbox, vcpu } = sandboxPaths(desired)
    for (const { pid, threads } of observed.processes) {
      if (pid !== desired.vmm && !desired.helpers.includes(pid)) continue
      for (const { tid } of threads) {
        const path = pid === desired.vmm && desired.vcpus.includes(tid) ? vcpu : sandbox
        expect(cgroups[path]?.tids).toContain(tid)
      }
    }
  })
})

it('takes away whatever there is, and gives everybody back', () => {
  forAllSituations(({ desired, observed, origins }) => {
    const made = run(observed, planner(desired, observed)).state
    const everyOrigin = [{ unified: '/origin' }]
    const { state, refused } = run(made, operationsOf(planTeardown(desired, made, origins, { everyOrigin })))
    expect(refused).toEqual([])
    const { sandbox } = sandboxPaths(desired)
    expect(Object.keys(cgroupsIn(state)).filter((path) => path.startsWith(sandbox))).toEqual([])
    const tids = observed.processes.flatMap(({ threads }) => threads.map(({ tid }) => tid))
    expect([...(cgroupsIn(state)['/origin']?.tids ?? [])].sort()).toEqual(tids.sort())
  })
})

function isWriteOf(operation: Operation, knob: string): boolean {
  return operation.kind === 'write-knob' && operation.knob === knob
}

function toTheEnd(operations: readonly Operation[], knob: string): readonly Operation[] {
  const isMeant = (operation: Operation) => isWriteOf(operation, knob)
  return [...operations.filter((operation) => !isMeant(operation)), ...operations.filter(isMeant)]
}

/** The writes of a knob from the last to the first, after everything else. */
function lastFirst(operations: readonly Operation[], knob: string): readonly Operation[] {
  const ordered = toTheEnd(operations, knob)
  const first = ordered.findIndex((operation) => isWriteOf(operation, knob))
  return first < 0 ? ordered : [...ordered.slice(0, first), ...ordered.slice(first).reverse()]
}
