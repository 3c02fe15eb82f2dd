import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { after } from '../../src/plan/after'
import { type Desired, sandboxPaths } from '../../src/plan/desired'
import type { Observed } from '../../src/plan/observed'
import { type Operation, operationsOf, type Plan } from '../../src/plan/operations'
import { planSandbox } from '../../src/plan/plan-sandbox'
import { SimulatedKernel } from '../../src/plan/simulated-kernel'
import { planTeardown } from '../../src/plan/teardown'
import { drawSituation, type Situation } from '../support/arbitrary-sandbox'
import { forAll } from '../support/for-all'

type Planner = (desired: Desired, observed: Observed) => readonly Operation[]

const planner: Planner = (desired, observed) => operationsOf(planSandbox(desired, observed))

const RUNS = 200

function forAllSituations(claim: (situation: Situation) => void): void {
  forAll(fc.gen(), (draw) => claim(drawSituation(draw)), { numRuns: RUNS, endOnFailure: true })
}

/** True when some situation breaks a claim: how a claim of "never" is shown to catch the thing. */
function isCaught(claim: () => void): boolean {
  try {
    claim()
    return false
  } catch {
    return true
  }
}

/** Runs operations on a simulated kernel; `check` is called with the state after each. */
function run(
  observed: Observed,
  operations: readonly Operation[],
  check?: (state: Observed) => void,
): { readonly state: Observed; readonly errnos: readonly number[] } {
  const kernel = new SimulatedKernel(observed)
  const errnos = operations.flatMap((operation) => {
    const { errno, ids } = kernel.execute(operation)
    check?.(kernel.observe())
    return [errno, ...ids.map((id) => id.errno)]
  })
  return { state: kernel.observe(), errnos }
}

it('plans nothing for what its own plan leaves behind', () => {
  forAllSituations(({ desired, observed }) => {
    const settled = planner(desired, observed).reduce(after, observed)
    expect(planSandbox(desired, settled).stages).toEqual([])
  })
})

it('predicts what the kernel does', () => {
  forAllSituations(({ desired, observed }) => {
    const operations = planner(desired, observed)
    expect(run(observed, operations).state).toEqual(operations.reduce(after, observed))
  })
})

describe('the order of writes', () => {
  const neverRefused = (plan: Planner) =>
    forAllSituations(({ desired, observed }) => {
      const { errnos } = run(observed, plan(desired, observed))
      expect(errnos.filter((errno) => errno !== 0)).toEqual([])
    })

  it('is never refused by the kernel', () => neverRefused(planner))

  it.each<[string, (operations: readonly Operation[]) => readonly Operation[]]>([
    ['quota and period the other way round', (operations) => reverse(operations, /^cpu\.cfs_/)],
    ['cpusets from the leaf up', (operations) => reverse(operations, /^cpuset\./)],
    ['directories from the leaf up', (operations) => reverse(operations, /^make-directory$/)],
    ['threads moved before the cpuset is filled', movesFirst],
  ])('would be refused with %s', (_, mistake) => {
    const plan: Planner = (desired, observed) => mistake(planner(desired, observed))
    expect(isCaught(() => neverRefused(plan))).toBe(true)
  })
})

describe('a vCPU that is in its leaf', () => {
  const staysInLeaf = (plan: Planner) =>
    forAllSituations(({ desired, observed }) => {
      if (desired.vmm === null) return
      const before = placedVcpus(desired, observed)
      run(observed, plan(desired, observed), (state) => {
        expect(placedVcpus(desired, state)).toEqual(expect.arrayContaining(before))
      })
    })

  it('is never outside of it at any step', () => staysInLeaf(planner))

  it('would be caught outside if the whole process were moved again, as the seed does', () => {
    const seed: Planner = (desired, observed) => {
      const { sandbox } = sandboxPaths(desired)
      return planner(desired, observed).map((operation) =>
        operation.kind === 'move-threads' && operation.path === sandbox && desired.vmm !== null
          ? { kind: 'move-process', hierarchy: operation.hierarchy, path: sandbox, pid: desired.vmm }
          : operation,
      )
    }
    expect(isCaught(() => staysInLeaf(seed))).toBe(true)
  })
})

it('places every thread of a VM and of its helpers', () => {
  forAllSituations(({ desired, observed }) => {
    const { state } = run(observed, planner(desired, observed))
    const { sandbox, vcpu } = sandboxPaths(desired)
    const belongs = new Map<number, string>()
    for (const { pid, threads } of observed.processes) {
      if (pid !== desired.vmm && !desired.helpers.includes(pid)) continue
      for (const { tid } of threads) {
        belongs.set(tid, pid === desired.vmm && desired.vcpus.includes(tid) ? vcpu : sandbox)
      }
    }
    for (const hierarchy of state.hierarchies) {
      for (const [tid, path] of belongs) expect(hierarchy.cgroups[path]?.tids).toContain(tid)
    }
  })
})

describe('a teardown', () => {
  it('leaves no directory of the sandbox, keeps the parent and loses no thread', () => {
    forAllSituations(({ desired, observed, origins }) => {
      const { sandbox, vcpu } = sandboxPaths(desired)
      const { state, errnos } = run(observed, operationsOf(planTeardown(desired, observed, origins)))
      expect(errnos.filter((errno) => errno !== 0)).toEqual([])
      for (const [index, { cgroups }] of state.hierarchies.entries()) {
        const before = observed.hierarchies[index]?.cgroups ?? {}
        expect(Object.keys(cgroups).sort()).toEqual(
          Object.keys(before)
            .filter((path) => path !== sandbox && path !== vcpu)
            .sort(),
        )
        expect(threadsIn(cgroups)).toEqual(threadsIn(before))
      }
    })
  })

  it('undoes whatever a plan has made', () => {
    forAllSituations(({ desired, observed, origins }) => {
      const made = run(observed, planner(desired, observed)).state
      const { state } = run(made, operationsOf(planTeardown(desired, made, origins)))
      const { sandbox } = sandboxPaths(desired)
      expect(state.hierarchies.flatMap(({ cgroups }) => Object.keys(cgroups))).not.toContain(sandbox)
      expect(planTeardown(desired, state, origins).stages).toEqual([])
    })
  })
})

describe('a plan', () => {
  const eachPlan = (claim: (plan: Plan) => void) =>
    forAllSituations(({ desired, observed, origins }) => {
      claim(planSandbox(desired, observed))
      claim(planTeardown(desired, observed, origins))
    })

  it('is frozen all the way down', () => {
    eachPlan((plan) => {
      const parts = [plan, plan.mounts, plan.stages, plan.warnings, ...plan.stages, ...operationsOf(plan)]
      expect(parts.every(Object.isFrozen)).toBe(true)
    })
  })

  it('survives JSON', () => {
    eachPlan((plan) => expect(isDeepStrictEqual(JSON.parse(JSON.stringify(plan)), plan)).toBe(true))
  })

  it('does not depend on anything but its arguments, and changes none of them', () => {
    forAllSituations(({ desired, observed }) => {
      const copy = structuredClone({ desired, observed })
      expect(planSandbox(copy.desired, copy.observed)).toEqual(planSandbox(desired, observed))
      expect(copy).toEqual({ desired, observed })
    })
  })
})

/** The vCPUs that are in their leaf, as `hierarchy:tid`. */
function placedVcpus(desired: Desired, { hierarchies }: Observed): string[] {
  const { vcpu } = sandboxPaths(desired)
  return hierarchies.flatMap(({ id, cgroups }) =>
    (cgroups[vcpu]?.tids ?? []).filter((tid) => desired.vcpus.includes(tid)).map((tid) => `${id}:${tid}`),
  )
}

function threadsIn(cgroups: Observed['hierarchies'][number]['cgroups']): number[] {
  return Object.values(cgroups)
    .flatMap(({ tids }) => tids)
    .sort((a, b) => a - b)
}

/** The operations of one kind, or the writes of some knobs, in reverse, in the places that these have. */
function reverse(operations: readonly Operation[], which: RegExp): readonly Operation[] {
  const isMeant = (operation: Operation) =>
    which.test(operation.kind === 'write-knob' ? operation.knob : operation.kind)
  const reversed = operations.filter(isMeant).reverse()
  return operations.map((operation) => (isMeant(operation) ? (reversed.shift() ?? operation) : operation))
}

function movesFirst(operations: readonly Operation[]): readonly Operation[] {
  const isMove = ({ kind }: Operation) => kind === 'move-process' || kind === 'move-threads'
  const isDirectory = ({ kind }: Operation) => kind === 'make-directory' || kind === 'tag'
  return [
    ...operations.filter(isDirectory),
    ...operations.filter(isMove),
    ...operations.filter((operation) => !isMove(operation) && !isDirectory(operation)),
  ]
}
