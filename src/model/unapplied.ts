import type { LinuxResources } from './generated/oci'

/**
 * The members of an OCI `linux.resources` that are set and that a sandbox does not act on (yet), such as
 * `'memory'` or `'cpu.burst'`. A sandbox warns about them: a limit that is silently not there is worse than none.
 */
export function unappliedFields(resources: LinuxResources | undefined): readonly string[] {
  if (resources === undefined) return []
  const { cpu, ...others } = resources
  return [
    ...setMembers(others),
    ...setMembers(cpu ?? {})
      .filter((name) => !APPLIED_CPU.includes(name))
      .map((name) => `cpu.${name}`),
  ]
}

const APPLIED_CPU: readonly string[] = ['shares', 'quota', 'period', 'cpus', 'mems']

function setMembers(object: object): readonly string[] {
  return Object.entries(object).flatMap(([name, value]) => (isEmpty(value) ? [] : [name]))
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)
  )
}
