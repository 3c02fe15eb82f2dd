import type { Desired } from './desired'
import { sandboxPaths } from './desired'
import type { ObservedHierarchy, ObservedProcess } from './observed'
import type { Operation } from './operations'
import { isThreadGranular, ownPaths } from './own-cgroups'
import type { PlanBuilder } from './plan-builder'

/**
 * Plans who goes where: vCPU threads into the leaf, everything else of the VMM and its helpers into the sandbox's own
 * cgroup. The steps are ordered over all hierarchies, because migrations that follow each other at once share one
 * grace period of the kernel.
 *
 * 1. A process comes in by one write of its pid only while none of its vCPUs is in the leaf: such a write moves every
 *    thread, and would pull placed vCPUs out again. Afterwards strays are fetched one by one.
 * 2. vCPU threads that are not in their leaf go there.
 * 3. What is in the leaf and is no vCPU (the kernel's own `kvm-nx-lpage-re` is born there) goes back.
 */
export function planPlacement(builder: PlanBuilder, desired: Desired): void {
  builder.stage('placement')
  const { processes } = builder.state
  const vmm = processes.find(({ pid }) => pid === desired.vmm)
  const whereaboutsIn = rememberedWhereabouts(desired)
  const helpers = processes.filter(({ pid }) => desired.helpers.includes(pid) && pid !== desired.vmm)
  const steps: readonly ((hierarchy: ObservedHierarchy) => readonly Operation[])[] = [
    (hierarchy) => (vmm === undefined ? [] : vmmEntry(hierarchy, whereaboutsIn(hierarchy), vmm)),
    (hierarchy) => helpers.flatMap((helper) => helperEntry(hierarchy, whereaboutsIn(hierarchy), helper)),
    (hierarchy) => threadEntries(hierarchy, whereaboutsIn(hierarchy), desired.threads),
    (hierarchy) => (vmm === undefined ? [] : vcpuMoves(hierarchy, whereaboutsIn(hierarchy), vmm)),
    (hierarchy) => (vmm === undefined ? [] : intruderMoves(hierarchy, whereaboutsIn(hierarchy))),
  ]
  for (const step of steps) {
    for (const operation of builder.hierarchies.flatMap(step)) builder.add(operation)
  }
  if (vmm !== undefined && desired.vcpus.length === 0) {
    builder.warn(
      `sandbox ${desired.id}: the hypervisor reports no vCPU threads, so there is nothing to constrain`,
    )
  }
}

interface Whereabouts {
  readonly sandbox: string
  readonly vcpu: string
  readonly inSandbox: ReadonlySet<number>
  readonly inLeaf: ReadonlySet<number>
  /** The vCPU threads that have a cgroup of their own here: none where controllers look at whole processes. */
  readonly vcpus: ReadonlySet<number>
}

function whereabouts(hierarchy: ObservedHierarchy, desired: Desired): Whereabouts {
  const { sandbox, vcpu } = sandboxPaths(desired)
  const hasLeaf = ownPaths(desired, hierarchy).includes(vcpu)
  return {
    sandbox,
    vcpu,
    inSandbox: new Set(hierarchy.cgroups[sandbox]?.tids),
    inLeaf: new Set(hasLeaf ? hierarchy.cgroups[vcpu]?.tids : []),
    vcpus: new Set(hasLeaf ? desired.vcpus : []),
  }
}

/** A hierarchy stays the same object until an operation changes it. */
function rememberedWhereabouts(desired: Desired): (hierarchy: ObservedHierarchy) => Whereabouts {
  const known = new Map<ObservedHierarchy, Whereabouts>()
  return (hierarchy) => {
    const found = known.get(hierarchy) ?? whereabouts(hierarchy, desired)
    known.set(hierarchy, found)
    return found
  }
}

function vmmEntry(
  hierarchy: ObservedHierarchy,
  { sandbox, inSandbox, inLeaf, vcpus }: Whereabouts,
  vmm: ObservedProcess,
): readonly Operation[] {
  const outside = vmm.threads.map(({ tid }) => tid).filter((tid) => !inSandbox.has(tid) && !inLeaf.has(tid))
  const strays = outside.filter((tid) => !vcpus.has(tid))
  // On v2 no thread can be in the leaf before its process is in the sandbox.
  if ((hierarchy.version === 1 ? strays : outside).length === 0) return []
  return [...vcpus].some((tid) => inLeaf.has(tid))
    ? moveThreadsIfAny(hierarchy, sandbox, strays)
    : [moveProcess(hierarchy, sandbox, vmm.pid)]
}

function helperEntry(
  hierarchy: ObservedHierarchy,
  { sandbox, inSandbox }: Whereabouts,
  helper: ObservedProcess,
): readonly Operation[] {
  const isInside = helper.threads.every(({ tid }) => inSandbox.has(tid))
  return isInside ? [] : [moveProcess(hierarchy, sandbox, helper.pid)]
}

function threadEntries(
  hierarchy: ObservedHierarchy,
  { sandbox, inSandbox }: Whereabouts,
  threads: Desired['threads'],
): readonly Operation[] {
  // On v2 a thread cannot leave the cgroup that its process is in.
  if (hierarchy.version === 2 || !isThreadGranular(hierarchy)) return []
  const outside = threads.filter((tid) => !inSandbox.has(tid))
  return moveThreadsIfAny(hierarchy, sandbox, outside)
}

function vcpuMoves(
  hierarchy: ObservedHierarchy,
  { vcpu, inLeaf, vcpus }: Whereabouts,
  vmm: ObservedProcess,
): readonly Operation[] {
  const alive = new Set(vmm.threads.map(({ tid }) => tid))
  return moveThreadsIfAny(
    hierarchy,
    vcpu,
    [...vcpus].filter((tid) => alive.has(tid) && !inLeaf.has(tid)),
  )
}

function intruderMoves(
  hierarchy: ObservedHierarchy,
  { sandbox, inLeaf, vcpus }: Whereabouts,
): readonly Operation[] {
  return moveThreadsIfAny(
    hierarchy,
    sandbox,
    [...inLeaf].filter((tid) => !vcpus.has(tid)),
  )
}

function moveProcess({ id: hierarchy }: ObservedHierarchy, path: string, pid: number): Operation {
  return { kind: 'move-process', hierarchy, path, pid }
}

function moveThreads({ id: hierarchy }: ObservedHierarchy, path: string, tids: readonly number[]): Operation {
  return { kind: 'move-threads', hierarchy, path, tids }
}

function moveThreadsIfAny(
  hierarchy: ObservedHierarchy,
  path: string,
  tids: readonly number[],
): readonly Operation[] {
  return tids.length === 0 ? [] : [moveThreads(hierarchy, path, tids)]
}
