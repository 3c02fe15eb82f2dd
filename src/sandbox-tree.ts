import type { SandboxPaths } from './plan/desired'
import type { SandboxState } from './state/state-file'

/**
 * A sandbox as `console.log` shows it: its cgroups as a tree, with what is in force in each. Nothing is read for it.
 */
export function sandboxTree(state: SandboxState, paths: SandboxPaths, isOpen: boolean): string {
  const { cpu } = state.applied ?? {}
  const vmm = state.processes.find(({ role }) => role === 'vmm')
  const helpers = state.processes.filter(({ role }) => role === 'helper')
  const limits = [
    cpu?.quota === undefined ? 'no quota' : `quota ${cpu.quota}/${cpu.period} us`,
    ...(cpu?.cpus === undefined ? [] : [`cpus ${cpu.cpus}`]),
    ...(cpu?.mems === undefined ? [] : [`mems ${cpu.mems}`]),
  ].join(', ')
  const members = [
    vmm === undefined ? 'no VMM' : `VMM ${vmm.pid}`,
    ...(helpers.length === 0 ? [] : [`helpers ${helpers.map(({ pid }) => pid).join(' ')}`]),
    ...(cpu?.shares === undefined ? [] : [`shares ${cpu.shares}`]),
  ].join(', ')
  const status = [...(state.applied === null ? ['not applied yet'] : []), ...(isOpen ? [] : ['closed'])].join(
    ', ',
  )
  const containers = state.containers.map(({ id }) => id).join(' ')
  return [
    `Sandbox ${state.id}${status === '' ? '' : ` (${status})`}`,
    `  hierarchies: ${state.claimed.join(' ') || 'none yet'}`,
    `  containers:  ${containers || 'none'}`,
    `  ${paths.parent}`,
    `  └─ ${state.id}  ${members}`,
    `     └─ vcpu  ${limits}`,
  ].join('\n')
}
