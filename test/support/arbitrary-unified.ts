import * as fc from 'fast-check'
import type { Desired } from '../../src/plan/desired'
import { sandboxPaths } from '../../src/plan/desired'
import { managedWith } from '../../src/plan/managed'
import { knobValue, type Observed } from '../../src/plan/observed'
import { type Operation, operationsOf } from '../../src/plan/operations'
import { planSandbox } from '../../src/plan/plan-sandbox'
import { SimulatedKernel } from '../../src/plan/simulated-kernel'
import type { Origins } from '../../src/plan/teardown'
import { desired as desiredWith, processOf } from './sandbox-states'
import { unified } from './sandbox-states-v2'

/** A sandbox's wishes, and a state of a v2 host that really can come about. */
export interface UnifiedSituation {
  readonly desired: Desired
  readonly observed: Observed
  readonly origins: Origins
}

type Draw = fc.GeneratorValue

const VMM = 100
const HELPER = 200
const STRANGER = 400
const ORIGIN = '/origin'

/**
 * Somebody wanted something, and was stopped anywhere on the way there; then others came by. What is wanted now may be
 * something else.
 */
export function drawUnified(draw: Draw): UnifiedSituation {
  const parent = drawOne(draw, ['/kata', '/', '/a/b'])
  const processes = [VMM, HELPER, STRANGER].map((pid) =>
    processOf(
      pid,
      Array.from({ length: draw(fc.integer, { min: 1, max: 6 }) }, (_, index) => pid + index),
    ),
  )
  const tids = (processes[0]?.threads ?? []).map(({ tid }) => tid)
  const begun = drawDesired(draw, parent, tids)
  const kernel = new SimulatedKernel({ hierarchies: [drawHost(draw)], processes })
  const home = { kind: 'move-process', hierarchy: 'unified', path: ORIGIN } as const
  for (const { pid } of processes) kernel.execute({ ...home, pid })

  const plan = operationsOf(planSandbox(begun, kernel.observe()))
  const done = plan.slice(0, draw(fc.integer, { min: 0, max: plan.length }))
  for (const operation of done) kernel.execute(operation)
  const leaf = kernel.observe().hierarchies[0]?.cgroups[sandboxPaths(begun).vcpu]
  // Who is put into what is not finished is not for a plan to mend: that is refused.
  const isFinished = knobValue(leaf, 'cgroup.type') === 'threaded'
  for (const operation of isFinished ? drawMischief(draw, begun, tids) : []) kernel.execute(operation)

  const vms = begun.vmm === null ? [] : [VMM, ...begun.helpers]
  return {
    observed: kernel.observe(),
    origins: new Map(vms.map((pid) => [pid, { unified: ORIGIN }])),
    desired: {
      ...drawDesired(draw, parent, tids),
      claimed: ['unified'],
      managed: managedWith([], done, begun),
    },
  }
}

/** Some hosts have handed controllers down already. */
function drawHost(draw: Draw) {
  const root = unified({ [ORIGIN]: {} }, drawOne(draw, ['', 'cpu', 'memory pids']))
  const enabled = root.cgroups['/']?.knobs['cgroup.subtree_control']
  const origin = root.cgroups[ORIGIN]
  if (origin === undefined || enabled === undefined) return root
  const knobs = { ...origin.knobs, 'cgroup.controllers': enabled }
  return { ...root, cgroups: { ...root.cgroups, [ORIGIN]: { ...origin, knobs } } }
}

function drawDesired(draw: Draw, parent: string, tids: readonly number[]): Desired {
  const hasVmm = draw(fc.boolean)
  const quota = draw(fc.integer, { min: 1000, max: 400_000 })
  return desiredWith({
    parent,
    vmm: hasVmm ? VMM : null,
    helpers: draw(fc.boolean) ? [HELPER] : [],
    vcpus: hasVmm ? draw(fc.subarray<number>, [...tids]) : [],
    resources: {
      cpu: {
        ...(draw(fc.boolean) && { shares: draw(fc.integer, { min: 2, max: 262_144 }) }),
        ...(draw(fc.boolean) && { quota, period: 100_000 }),
        ...(draw(fc.boolean) && { cpus: drawOne(draw, ['0', '1-2', '0-3']) }),
      },
      ...(draw(fc.boolean) && { pids: { limit: draw(fc.integer, { min: 1, max: 1000 }) } }),
    },
  })
}

/** What others do meanwhile; the kernel refuses some of it. */
function drawMischief(draw: Draw, where: Desired, tids: readonly number[]): readonly Operation[] {
  const { sandbox, vcpu } = sandboxPaths(where)
  const at = { hierarchy: 'unified' } as const
  const all: readonly Operation[] = [
    { ...at, kind: 'move-process', path: ORIGIN, pid: VMM },
    { ...at, kind: 'move-process', path: sandbox, pid: VMM },
    { ...at, kind: 'move-process', path: vcpu, pid: VMM },
    { ...at, kind: 'move-process', path: sandbox, pid: STRANGER },
    { ...at, kind: 'move-threads', path: sandbox, tids: tids.slice(0, 2) },
    { ...at, kind: 'move-threads', path: vcpu, tids: tids.slice(-2) },
    { ...at, kind: 'write-knob', path: vcpu, knob: 'cpu.max', value: '7000 50000', previous: null },
    { ...at, kind: 'write-knob', path: sandbox, knob: 'pids.max', value: '3', previous: null },
  ]
  return draw(fc.subarray<Operation>, [...all])
}

function drawOne(draw: Draw, texts: readonly string[]): string {
  return draw(oneOf, texts)
}

function oneOf(texts: readonly string[]): fc.Arbitrary<string> {
  return fc.constantFrom(...texts)
}
