import type { SandboxPaths } from './plan/desired'
import type { SandboxLook } from './sandbox-look'

/** What a thread is for: `emulator` is the VMM's main thread and everything that has no role of its own. */
export type ThreadRole = 'vcpu' | 'iothread' | 'vhost' | 'emulator' | 'helper'

export interface SandboxThread {
  readonly tid: number
  readonly pid: number
  /** The kernel's name of it (comm), at most 15 bytes; the VMM chooses it, so it is no proof of a role. */
  readonly name: string
  readonly role: ThreadRole
  /** Hierarchy id → its cgroup, or null while it is outside of the sandbox. */
  readonly cgroups: Readonly<Record<string, string | null>>
}

/** Every thread of the VMM and of the helpers, by process and tid. Roles come from the hypervisor, not from names. */
export function listThreads(look: SandboxLook, paths: SandboxPaths): readonly SandboxThread[] {
  const { desired, observed } = look
  const vcpus = new Set(desired.vcpus)
  const iothreads = new Set(look.iothreads.values())
  const places = observed.hierarchies.map(({ id, cgroups }) => {
    const tidsIn = (path: string) => (cgroups[path]?.tids ?? []).map((tid) => [tid, path] as const)
    return [id, new Map([...tidsIn(paths.sandbox), ...tidsIn(paths.vcpu)])] as const
  })
  return observed.processes.flatMap(({ pid, threads }) =>
    threads.map(({ tid, name }): SandboxThread => {
      const cgroups = Object.fromEntries(places.map(([id, place]) => [id, place.get(tid) ?? null]))
      if (pid !== desired.vmm)
        return { tid, pid, name, role: name === `vhost-${desired.vmm}` ? 'vhost' : 'helper', cgroups }
      if (vcpus.has(tid)) return { tid, pid, name, role: 'vcpu', cgroups }
      if (iothreads.has(tid)) return { tid, pid, name, role: 'iothread', cgroups }
      return { tid, pid, name, role: name.startsWith('vhost-') ? 'vhost' : 'emulator', cgroups }
    }),
  )
}
