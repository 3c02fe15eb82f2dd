import { isSystemdHost } from './host/systemd'
import type { Logger } from './log'
import type { SandboxState } from './state/state-file'

const BESIDE = '; systemd runs this host, and knows of what is in a slice of it: docs/systemd.md'

/** Tells who makes the cgroup that a sandbox, or a manager's, is in, and what is better on this host. */
export function logDriver(
  log: Logger,
  { id, driver, scope }: Pick<SandboxState, 'id' | 'driver' | 'scope'>,
  isBooted = isSystemdHost,
): void {
  const fields = scope ? { slice: scope.slice, unit: scope.unit } : {}
  const hint = driver === 'cgroupfs' && isBooted() ? BESIDE : ''
  log.debug({ sandbox: id, driver, ...fields }, `driver: ${driver}${hint}`)
}
