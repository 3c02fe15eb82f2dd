import type { LinuxResources } from '../model/generated/oci'
import { childPath } from './observed'
import type { Operation } from './operations'

/** What a sandbox should look like: what its containers ask for, and which threads run what. Plain data. */
export interface Desired {
  readonly id: string
  /** The cgroup that the sandbox's own is made in, such as `'/kata'`. */
  readonly parent: string
  /** The nonce that tells our directories from everybody else's. */
  readonly owner: string
  /** Merged over all containers. */
  readonly resources: LinuxResources
  /** Hierarchies in which this sandbox's directories have been made, or were about to be when a process ended. */
  readonly claimed: readonly string[]
  /** What vmcg has set before: lifted when it is no longer asked for. What is not listed is left alone. */
  readonly managed: readonly ManagedKnob[]
  /** Pid of the VMM; null while none is attached, and then no thread is placed. */
  readonly vmm: number | null
  /** Processes that serve the VM (virtiofsd, swtpm): all of their threads belong into the sandbox's own cgroup. */
  readonly helpers: readonly number[]
  /** Host tids of the vCPUs, each once, ascending. */
  readonly vcpus: readonly number[]
}

export interface ManagedKnob {
  readonly hierarchy: string
  readonly path: string
  readonly knob: string
}

/** The name of the leaf that holds the vCPU threads (Kata: virtcontainers/cgroups.go, vcpuGroupName). */
export const VCPU_LEAF = 'vcpu'

export interface SandboxPaths {
  readonly parent: string
  readonly sandbox: string
  readonly vcpu: string
}

/** Where a sandbox lives below the mount point of every hierarchy that it uses. */
export function sandboxPaths(where: { readonly id: string; readonly parent: string }): SandboxPaths {
  const sandbox = childPath(where.parent, where.id)
  return { parent: where.parent, sandbox, vcpu: childPath(sandbox, VCPU_LEAF) }
}

/**
 * The v1 controllers whose hierarchies a sandbox needs: `cpu` always; `cpuacct`, where it is mounted, for the usage of
 * each role; `cpuset` only when a container asks for CPUs or memory nodes, or did so before.
 */
export function neededControllers(
  desired: Pick<Desired, 'resources' | 'managed'>,
): readonly NeededController[] {
  const { cpu } = desired.resources
  const isCpusetAsked = [cpu?.cpus, cpu?.mems].some((list) => list !== undefined && list !== '')
  const wasCpusetAsked = desired.managed.some(({ knob }) => knob.startsWith('cpuset.'))
  return [
    { name: 'cpu', isRequired: true },
    { name: 'cpuacct', isRequired: false },
    ...(isCpusetAsked || wasCpusetAsked ? [{ name: 'cpuset', isRequired: isCpusetAsked }] : []),
  ]
}

export interface NeededController {
  readonly name: string
  /** False: used where it is mounted, done without where it is not. */
  readonly isRequired: boolean
}

/** The knobs of the sandbox's own cgroups that operations write, together with those that were set before. */
export function managedWith(
  before: readonly ManagedKnob[],
  operations: readonly Operation[],
  paths: SandboxPaths,
): readonly ManagedKnob[] {
  const written = operations.flatMap((operation) => {
    if (operation.kind !== 'write-knob') return []
    const { hierarchy, path, knob } = operation
    return path === paths.sandbox || path === paths.vcpu ? [{ hierarchy, path, knob }] : []
  })
  const isKnown = (one: ManagedKnob) => before.some((other) => isSameKnob(one, other))
  return [...before, ...written.filter((knob) => !isKnown(knob))]
}

/** What vmcg still answers for once `resources` are in force: what it has lifted it leaves alone from then on. */
export function managedWithoutLifted(
  managed: readonly ManagedKnob[],
  resources: LinuxResources,
  paths: SandboxPaths,
): readonly ManagedKnob[] {
  const { quota, shares } = resources.cpu ?? {}
  return managed.filter(
    ({ path, knob }) =>
      !(quota === undefined && knob.startsWith('cpu.cfs_')) &&
      !(shares === undefined && knob === 'cpu.shares' && path === paths.sandbox),
  )
}

export function isManaged(desired: Desired, knob: ManagedKnob): boolean {
  return desired.managed.some((managed) => isSameKnob(managed, knob))
}

function isSameKnob(a: ManagedKnob, b: ManagedKnob): boolean {
  return a.hierarchy === b.hierarchy && a.path === b.path && a.knob === b.knob
}
