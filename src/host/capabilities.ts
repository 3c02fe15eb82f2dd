import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The capabilities that device programs need, with their bits. Source: include/uapi/linux/capability.h. */
const BITS = { CAP_NET_ADMIN: 12, CAP_SYS_ADMIN: 21, CAP_BPF: 39 } as const

export type Capability = keyof typeof BITS

/** What load and attach need of one who is not all-powerful. */
const FOR_PROGRAMS: readonly Capability[] = ['CAP_BPF', 'CAP_NET_ADMIN']

/**
 * What this process lacks for loading and attaching a device program: CAP_BPF, or CAP_SYS_ADMIN in its place, and
 * CAP_NET_ADMIN. Nothing is missing where the kernel does not say. One small file is read, synchronously.
 *
 * Source: kernel/bpf/syscall.c, bpf_prog_load and bpf_prog_attach: in Linux 6.1 the latter takes nothing in place of
 * CAP_NET_ADMIN; later ones take CAP_SYS_ADMIN.
 */
export function lackedForPrograms(procRoot = '/proc'): readonly Capability[] {
  const effective = effectiveCapabilities(readFileSync(join(procRoot, 'self', 'status'), 'utf8'))
  if (effective === undefined) return []
  const hasBpf = effective.has('CAP_SYS_ADMIN')
  return FOR_PROGRAMS.filter((name) => !effective.has(name) && !(name === 'CAP_BPF' && hasBpf))
}

/** @param status Text of /proc/<pid>/status. undefined: it has no line of capabilities. */
export function effectiveCapabilities(status: string): ReadonlySet<Capability> | undefined {
  const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1]
  if (digits === undefined) return undefined
  const set = BigInt(`0x${digits}`)
  const names: readonly Capability[] = ['CAP_NET_ADMIN', 'CAP_SYS_ADMIN', 'CAP_BPF']
  return new Set(names.filter((name) => ((set >> BigInt(BITS[name])) & 1n) === 1n))
}
