import type { DeviceRule } from '../model/device-rule'
import type { LinuxResources } from '../model/generated/oci'
import { childPath, pathChain } from './observed'
import type { TagAttribute } from './operations'
import type { RememberedProgram } from './remembered-program'

/** What a sandbox should look like: what its containers ask for, and which threads run what. Plain data. */
export interface Desired {
  readonly id: string
  /** The cgroup that the sandbox's own is made in, such as `'/kata'`. */
  readonly parent: string
  /** The unit of systemd that stands in the place of `parent`; null or absent: there is none. */
  readonly scope?: ScopePlace | null | undefined
  /** The nonce that tells our directories from everybody else's. */
  readonly owner: string
  readonly tagAttribute: TagAttribute
  /** Merged over all containers. */
  readonly resources: LinuxResources
  /** What the host has nothing for and the resources are without: a sentence each, for the warnings. */
  readonly leftOut?: readonly string[] | undefined
  /** The device rules in force, the last that matches wins; null: devices are not controlled. */
  readonly devices: readonly DeviceRule[] | null
  /** What becomes of fields that the host's version, or its kernel, has nothing for. */
  readonly unsupported: 'error' | 'warn'
  /** Whether vCPU threads have a cgroup of their own below the sandbox's. */
  readonly hasLeaf: boolean
  /** Hierarchies in which this sandbox's directories have been made, or were about to be when a process ended. */
  readonly claimed: readonly string[]
  /** Hierarchies in which a cgroup that somebody else has made is to be taken over. */
  readonly takenOver: readonly string[]
  /** What vmcg has set before: lifted when it is no longer asked for. What is not listed is left alone. */
  readonly managed: readonly ManagedKnob[]
  /** Pid of this very process: it must not freeze itself. */
  readonly ownPid: number
  /** The device program of its v2 cgroup, as remembered; null or absent: there was none. */
  readonly program?: RememberedProgram | null | undefined
  /** Pid of the VMM; null while none is attached, and then no thread is placed. */
  readonly vmm: number | null
  /** Processes that serve the VM (virtiofsd, swtpm): all of their threads belong into the sandbox's own cgroup. */
  readonly helpers: readonly number[]
  /** Host tids of the vCPUs, each once, ascending. */
  readonly vcpus: readonly number[]
  /** Single threads that belong into the sandbox's own cgroup, where a hierarchy holds single threads. */
  readonly threads: readonly number[]
}

/** One thing that vmcg has written: a knob, or one line of a knob that has many. */
export interface ManagedKnob {
  readonly hierarchy: string
  readonly path: string
  readonly knob: string
  readonly value: string
}

/** The unit of systemd that a sandbox is in, as far as plans need to know of it. */
export interface ScopePlace {
  /** Its cgroup below the mount point of each hierarchy, such as `'/system.slice/vmcg-vm1.scope'`. */
  readonly path: string
  /** Hierarchies in which systemd has made it, and handed it to us. In the others we make it, as all above it. */
  readonly hierarchies: readonly string[]
}

/** What says where a sandbox is. */
export type Place = Pick<Desired, 'id' | 'parent' | 'scope'>

/** The sandbox's own cgroup in a unit: no limit is written to the unit's, whose knobs are systemd's. */
const SCOPE_CHILD = 'vm'

/** The name of the leaf that holds the vCPU threads (Kata: virtcontainers/cgroups.go, vcpuGroupName). */
export const VCPU_LEAF = 'vcpu'

export interface SandboxPaths {
  readonly parent: string
  readonly sandbox: string
  readonly vcpu: string
}

/** Where a sandbox lives below the mount point of every hierarchy that it uses. */
export function sandboxPaths({ id, parent: above, scope = null }: Place): SandboxPaths {
  const parent = scope === null ? above : scope.path
  const sandbox = childPath(parent, scope === null ? id : SCOPE_CHILD)
  return { parent, sandbox, vcpu: childPath(sandbox, VCPU_LEAF) }
}

/** Whether the cgroup above the sandbox's is a unit that systemd has made and handed to us. */
export function isInScope({ scope = null }: Pick<Place, 'scope'>, hierarchy: string): boolean {
  return scope?.hierarchies.includes(hierarchy) === true
}

/**
 * The cgroups above the sandbox that are prepared for it, from the top: all of them, but with systemd none above the
 * unit, where systemd alone writes.
 */
export function preparedPaths(where: Place, hierarchy: string): readonly string[] {
  const { parent } = sandboxPaths(where)
  return isInScope(where, hierarchy) ? [parent] : pathChain(parent)
}
