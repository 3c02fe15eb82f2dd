import * as fc from 'fast-check'
import { isVmcgError } from '../../src/errors'
import { type Desired, sandboxPaths } from '../../src/plan/desired'
import { isForeseen, type Seen } from '../../src/plan/foresight'
import { managedWith } from '../../src/plan/managed'
import { isReadAbove } from '../../src/plan/needed-controllers'
import { type Observed, type ObservedCgroup, pathChain } from '../../src/plan/observed'
import { operationsOf } from '../../src/plan/operations'
import { planAhead, planSandbox } from '../../src/plan/plan-sandbox'
import { SimulatedKernel } from '../../src/plan/simulated-kernel'
import { drawSituation } from '../support/arbitrary-sandbox'
import { drawUnified } from '../support/arbitrary-unified'
import { forAll } from '../support/for-all'
import {
  desired,
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

type Draw = fc.GeneratorValue

/** With no more of the cgroups above than a look reads, once ours are there. */
function asLooksSee(state: Observed, wanted: Desired): Observed {
  const above = pathChain(sandboxPaths(wanted).parent)
  return {
    ...state,
    hierarchies: state.hierarchies.map((hierarchy) => {
      const { cgroups, version } = hierarchy
      const seen = Object.entries(cgroups).map(([path, cgroup]) => {
        const knobs = Object.entries(cgroup.knobs).filter(
          ([knob]) => !above.includes(path) || isReadAbove(version, knob),
        )
        return [path, { ...cgroup, knobs: Object.fromEntries(knobs) }]
      })
      return { ...hierarchy, cgroups: Object.fromEntries(seen) }
    }),
  }
}

/** What the kernel makes of a plan, and what the state says of the sandbox by then. */
function carriedOut({ desired: wanted, observed: before }: Seen) {
  const { plan, expected } = planAhead(wanted, before)
  const kernel = new SimulatedKernel(before)
  const operations = operationsOf(plan)
  for (const operation of operations) kernel.execute(operation)
  const hierarchies = before.hierarchies.map(({ id }) => id)
  const now: Desired = {
    ...wanted,
    claimed: hierarchies,
    managed: managedWith(wanted.managed, operations, wanted),
  }
  return {
    expected: { desired: wanted, observed: expected },
    seen: { desired: now, observed: asLooksSee(kernel.observe(), wanted) },
  }
}

describe.each([
  ['v1', drawSituation],
  ['v2', drawUnified],
])('on %s', (_, drawOne: (draw: Draw) => Seen) => {
  const forAllSituations = (claim: (situation: Seen, draw: Draw) => void) =>
    forAll(fc.gen(), (draw) => claim(drawOne(draw), draw), { numRuns: 200, endOnFailure: true })

  it('what a plan leads to is foreseen, and nothing is left to plan for what is remembered then', () => {
    forAllSituations((situation) => {
      const { expected, seen } = carriedOut(situation)
      expect(isForeseen(expected, seen)).toBe(true)
      expect(planSandbox(seen.desired, seen.observed).stages).toEqual([])
    })
  })

  it('nothing is foreseen that leaves something to plan, whatever somebody else does meanwhile', () => {
    forAllSituations((situation, draw) => {
      const { expected, seen } = carriedOut(situation)
      const disturbed = disturb(draw, seen.desired, seen.observed)
      if (isSettled(seen.desired, disturbed)) return
      expect(isForeseen(expected, { ...seen, observed: disturbed })).toBe(false)
    })
  })
})

function isSettled(wanted: Desired, state: Observed): boolean {
  try {
    return planSandbox(wanted, state).stages.length === 0
  } catch (error) {
    if (isVmcgError(error)) return false
    throw error
  }
}

/** Something that somebody else changes in one of our cgroups. */
function disturb(draw: Draw, wanted: Desired, state: Observed): Observed {
  const { sandbox, vcpu } = sandboxPaths(wanted)
  const hierarchy = draw(fc.constantFrom, ...state.hierarchies)
  const paths = [sandbox, vcpu].filter((path) => path in hierarchy.cgroups)
  const path = draw(fc.constantFrom, ...paths)
  const change = (cgroup: ObservedCgroup | undefined): ObservedCgroup | undefined => {
    if (cgroup === undefined) return undefined
    switch (draw(fc.constantFrom, 'gone', 'owner', 'knob', 'threads')) {
      case 'gone':
        return undefined
      case 'owner':
        return { ...cgroup, owner: null, tids: [] }
      case 'knob': {
        const knob = draw(fc.constantFrom, 'cpu.shares', ...Object.keys(cgroup.knobs))
        return { ...cgroup, knobs: { ...cgroup.knobs, [knob]: { kind: 'value', value: '3' } } }
      }
      default:
        return { ...cgroup, tids: cgroup.tids.slice(1) }
    }
  }
  const { [path]: here, ...others } = hierarchy.cgroups
  const changed = change(here)
  const cgroups = { ...others, ...(changed && { [path]: changed }) }
  return {
    ...state,
    hierarchies: state.hierarchies.map((one) => (one === hierarchy ? { ...one, cgroups } : one)),
  }
}

describe('a look that is not the one that was expected', () => {
  const inside = (tids = [VMM, IOTHREAD]) =>
    observed([madeHierarchy('cpu', { sandbox: { tids }, vcpu: { tids: VCPUS } })], [vmm])
  const seenWith = (changes: Partial<Desired>, state: Observed = inside()) => ({
    desired: desired({ ...withVm, ...changes }),
    observed: state,
  })
  const expected = seenWith({})

  it('has to be the same in all that is wanted', () => {
    expect(isForeseen(expected, seenWith({}))).toBe(true)
    expect(isForeseen(expected, seenWith({ vcpus: [] }))).toBe(false)
    expect(isForeseen(expected, seenWith({ helpers: [1] }))).toBe(false)
    expect(isForeseen(expected, seenWith({ threads: [1] }))).toBe(false)
    expect(isForeseen(expected, seenWith({ vmm: null }))).toBe(false)
    expect(isForeseen(expected, seenWith({ resources: { cpu: { shares: 7 } } }))).toBe(false)
  })

  it('has to have the same threads of the same processes; when they began, only where that was asked', () => {
    const withProcess = (process: Observed['processes'][number]) =>
      seenWith({}, { ...inside(), processes: [process] })
    const threads = vmm.threads.map(({ tid }) => ({ tid, startTime: null, name: '' }))
    expect(isForeseen(expected, withProcess({ ...vmm, threads }))).toBe(true)
    expect(isForeseen(expected, withProcess({ ...vmm, threads: threads.slice(1) }))).toBe(false)
    expect(isForeseen(expected, withProcess({ ...vmm, startTime: vmm.startTime + 1 }))).toBe(false)
    expect(isForeseen(expected, withProcess(processOf(VMM + 1, [VMM + 1])))).toBe(false)
    const [first, ...rest] = vmm.threads
    const reborn = [{ ...first, tid: VMM, startTime: 7, name: '' }, ...rest]
    expect(isForeseen(expected, withProcess({ ...vmm, threads: reborn }))).toBe(false)
  })

  it('on v2 may have other processes in the root of all, and the controllers in another order', () => {
    const cgroup = (type: string | null, controllers: string, pids: readonly number[]): ObservedCgroup => ({
      owner: null,
      tids: [],
      pids,
      knobs: {
        'cgroup.type': type === null ? { kind: 'absent' } : { kind: 'value', value: type },
        'cgroup.controllers': { kind: 'value', value: controllers },
      },
    })
    const seen = (cgroups: Readonly<Record<string, ObservedCgroup>>) =>
      seenWith({}, observed([{ id: 'unified', version: 2, controllers: ['cpu'], mountPoint: '/c', cgroups }]))
    const before = seen({ '/': cgroup(null, 'memory cpu', [1]), '/a': cgroup('domain', 'cpu', [2]) })
    const root = cgroup(null, 'cpu memory', [1, 9])
    expect(isForeseen(before, seen({ '/': root, '/a': cgroup('domain', 'cpu', [2]) }))).toBe(true)
    expect(isForeseen(before, seen({ '/': root, '/a': cgroup('domain', 'cpu', [2, 9]) }))).toBe(false)
    expect(isForeseen(before, seen({ '/': root, '/a': cgroup('domain', 'cpu io', [2]) }))).toBe(false)
    expect(isForeseen(before, seen({ '/': root, '/a': cgroup('threaded', 'cpu', [2]) }))).toBe(false)
  })

  it('on v2 may have other CPUs in effect in our own cgroups, and not above', () => {
    const cgroup = (effective: string): ObservedCgroup => ({
      owner: null,
      tids: [],
      pids: [],
      knobs: {
        'cgroup.type': { kind: 'value', value: 'domain' },
        'cpuset.cpus.effective': { kind: 'value', value: effective },
      },
    })
    const seen = (above: string, own: string) => {
      const cgroups = { '/kata': cgroup(above), [SANDBOX]: cgroup(own), [LEAF]: cgroup(own) }
      const unified = {
        id: 'unified',
        version: 2,
        controllers: ['cpuset'],
        mountPoint: '/c',
        cgroups,
      } as const
      return seenWith({}, observed([unified]))
    }
    expect(isForeseen(seen('0-3', '0-3'), seen('0-3', '0'))).toBe(true)
    expect(isForeseen(seen('0-3', '0-3'), seen('0-2', '0-3'))).toBe(false)
  })

  it('may know less of the knobs than was expected, and no more', () => {
    const [hierarchy] = inside().hierarchies
    if (hierarchy === undefined) throw new Error('no hierarchy')
    const withKnobs = (knobs: ObservedCgroup['knobs']) => {
      const leaf = { owner: null, tids: [], ...hierarchy.cgroups[LEAF], knobs }
      return seenWith(
        {},
        { ...inside(), hierarchies: [{ ...hierarchy, cgroups: { ...hierarchy.cgroups, [LEAF]: leaf } }] },
      )
    }
    expect(isForeseen(expected, withKnobs({}))).toBe(true)
    expect(isForeseen(expected, withKnobs({ 'cpu.idle': { kind: 'absent' } }))).toBe(true)
    expect(isForeseen(expected, withKnobs({ 'cpu.idle': { kind: 'value', value: '0' } }))).toBe(false)
    expect(isForeseen(expected, withKnobs({ 'cpu.shares': { kind: 'write-only' } }))).toBe(false)
    expect(Object.keys(hierarchy.cgroups)).toContain(SANDBOX)
  })
})
